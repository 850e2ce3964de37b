"""Mutants of render_skeleton: CUDA kernels, run on the CPU, and Triton kernels, interpreted."""

from __future__ import annotations

from tests.mutants.mutant import Mutant, cuda_suite, triton_suite

FORWARD = "csrc/render_skeleton/forward.cuh"
BACKWARD = "csrc/render_skeleton/backward.cuh"
SEARCH = "csrc/render_skeleton/search.cuh"
SCENE = "csrc/render_skeleton/scene.cuh"
TRITON_KERNELS = "fastpose/ops/render_skeleton/triton_kernels.py"
CUDA = cuda_suite("render_skeleton")
TRITON = triton_suite("render_skeleton", "triton_interpreted")

MUTANTS = (
    Mutant(
        "skeleton-row-below-the-image",
        "off by one: the row below the image is drawn too",
        FORWARD,
        "if (tile.y(j) >= scene.height || tile.x() >= scene.width) break;",
        "if (tile.y(j) > scene.height || tile.x() >= scene.width) break;",
        CUDA,
    ),
    Mutant(
        "skeleton-limbs-not-awaited",
        "missing barrier: a warp draws before the others have staged their limbs",
        FORWARD,
        "__syncthreads();",
        "",
        CUDA,
        which=0,
        places=2,
    ),
    Mutant(
        "skeleton-one-store-for-all-turns",
        "missing barrier: the store of the turn before is overwritten while lanes still read it",
        FORWARD,
        "first += together, turn ^= 1",
        "first += together",
        CUDA,
    ),
    Mutant(
        "skeleton-pitch-of-the-pixels",
        "wrong stride: collected channels of neighbouring pixels overlap",
        FORWARD,
        "kPitch = kChannels + 1;",
        "kPitch = kChannels - 1;",
        CUDA,
    ),
    Mutant(
        "skeleton-loser-pixels-count",
        "missing mask: a limb gets the gradient of pixels that another one won",
        BACKWARD,
        "mine ? weight[j][i] : T(0)",
        "weight[j][i]",
        CUDA,
    ),
    Mutant(
        "skeleton-a-warp-is-forgotten",
        "dropped accumulate: the sums of one warp of a block are left out",
        BACKWARD,
        "for (int warp = 1; warp < kWarps; ++warp)",
        "for (int warp = 1; warp < kWarps - 1; ++warp)",
        CUDA,
    ),
    Mutant(
        "skeleton-sums-not-cleared",
        "uninitialised tail: only the first warp's sums start at 0",
        BACKWARD,
        "i < kWarps * sums.size; i += kThreads) sums.warps[i] = 0;",
        "i < sums.size; i += kThreads) sums.warps[i] = 0;",
        CUDA,
    ),
    Mutant(
        "skeleton-blocks-counted-twice",
        "wrong reduction across threads: every share adds all blocks",
        BACKWARD,
        "for (int block = i / size; block < blocks; block += shares)",
        "for (int block = 0; block < blocks; ++block)",
        CUDA,
    ),
    Mutant(
        "skeleton-mean-not-divided",
        "dropped factor: y of a mean's gradient is not divided among its joints",
        BACKWARD,
        "y += sums[2 * end + 1] / count;",
        "y += sums[2 * end + 1];",
        CUDA,
    ),
    Mutant(
        "skeleton-gradient-beside-the-row",
        "missing check: the gradient is read beyond the end of its row",
        BACKWARD,
        "if (tile.x() + i < scene.width) value[j][i]",
        "value[j][i]",
        CUDA,
    ),
    Mutant(
        "skeleton-last-limb-wins-a-tie",
        "wrong tie rule: of two equally near limbs the later one wins (CUDA)",
        SEARCH,
        "} else if (distance[j][i] < squared[j][i]) {",
        "} else if (distance[j][i] <= squared[j][i]) {",
        CUDA,
    ),
    Mutant(
        "skeleton-half-the-bound",
        "dropped factor: limbs are culled that are nearest in a corner of the tile",
        SEARCH,
        "own.squared - nearest.squared - 2 * change > limit",
        "own.squared - nearest.squared - change > limit",
        CUDA,
    ),
    Mutant(
        "skeleton-second-group-not-looked-at",
        "stale data: limbs behind the 32nd are judged by what another one looks like",
        SEARCH,
        "if (last - first > kWarpSize && e < last) own",
        "if (last - first > 2 * kWarpSize && e < last) own",
        CUDA,
    ),
    Mutant(
        "skeleton-votes-of-nobody",
        "missing check: lanes without a limb vote, and what lies behind the limbs is drawn",
        SEARCH,
        "const bool can_win = e < last && !(",
        "const bool can_win = !(",
        CUDA,
    ),
    Mutant(
        "skeleton-tiles-drawn-twice",
        "wrong stride: blocks of a row draw each other's tiles again",
        SCENE,
        "left += gridDim.z * kTileWidth;",
        "left += kTileWidth;",
        CUDA,
    ),
    Mutant(
        "skeleton-slope-without-distance",
        "dropped factor: the derivative of the root",
        SCENE,
        "((squared[i] + eps) * inverse)) * inverse;",
        "((squared[i] + eps) * inverse));",
        CUDA,
    ),
    Mutant(
        "skeleton-triton-mean",
        "off by one: the last joint of a mean is left out (Triton)",
        TRITON_KERNELS,
        "more = mask & (begin + i < end)",
        "more = mask & (begin + i < end - 1)",
        TRITON,
    ),
    Mutant(
        "skeleton-triton-tie",
        "wrong tie rule: of two equally near limbs the later one wins (Triton)",
        TRITON_KERNELS,
        "winner = tl.where(squared < best, e, winner)",
        "winner = tl.where(squared <= best, e, winner)",
        TRITON,
    ),
    Mutant(
        "skeleton-triton-point",
        "missing rule: a limb of no length gives its second end a share (Triton)",
        TRITON_KERNELS,
        "start = tl.where(is_line, start, start + stop)",
        "start = tl.where(is_line, start, start)",
        TRITON,
    ),
    Mutant(
        "skeleton-triton-edge",
        "missing mask: pixels beside the image are written (Triton)",
        TRITON_KERNELS,
        "value.to(out.dtype.element_ty), inside)",
        "value.to(out.dtype.element_ty), x < width + 2)",
        TRITON,
    ),
    Mutant(
        "skeleton-triton-spoilt",
        "missing NaN rule: a joint that is not finite gets a gradient of 0 (Triton)",
        TRITON_KERNELS,
        'tl.where(spoilt == e, float("nan"), 0.0)',
        "tl.where(spoilt == e, 0.0, 0.0)",
        TRITON,
    ),
    Mutant(
        "skeleton-triton-one-group",
        "dropped accumulate: ends behind the first 32 give no gradient (Triton)",
        TRITON_KERNELS,
        "for group in range(0, 2 * LIMBS, GROUP):",
        "for group in range(0, GROUP, GROUP):",
        TRITON,
    ),
)
