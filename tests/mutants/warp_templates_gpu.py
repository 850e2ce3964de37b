"""Mutants of warp_templates: CUDA kernels, run on the CPU, and Triton kernels, interpreted."""

from __future__ import annotations

from tests.mutants.mutant import Mutant, cuda_suite, triton_suite

SCENE = "csrc/warp_templates/scene.cuh"
FORWARD = "csrc/warp_templates/forward.cuh"
BACKWARD = "csrc/warp_templates/backward.cuh"
TRITON_KERNELS = "fastpose/ops/warp_templates/triton_kernels.py"
CUDA = cuda_suite("warp_templates")
TRITON = triton_suite("warp_templates", "warp_templates_triton_interpreted")

MUTANTS = (
    Mutant(
        "warp-inside-too-early",
        "missing check: tiles at the border are read as if all of their texels were there",
        SCENE,
        "const T low = (slack - least) * per, high = (size - 1 - slack - most) * per;",
        "const T low = (slack - least) * per, high = (size + 8 - slack - most) * per;",
        CUDA,
    ),
    Mutant(
        "warp-seen-from-the-start-only",
        "missing clamp: sources before the first texel are read from memory before it",
        SCENE,
        "const bool first = column >= 0,",
        "const bool first = column >= -1,",
        CUDA,
    ),
    Mutant(
        "warp-last-row-of-texels",
        "off by one: the row below the last texels is read",
        SCENE,
        "lower = row + 1 < scene.rows;",
        "lower = row < scene.rows;",
        CUDA,
    ),
    Mutant(
        "warp-tiles-drawn-twice",
        "wrong stride: blocks of a row sum each other's tiles again",
        SCENE,
        "left += gridDim.z * kTileWidth;",
        "left += kTileWidth;",
        CUDA,
    ),
    Mutant(
        "warp-row-below-the-image",
        "off by one: the row below the image is drawn too",
        FORWARD,
        "if (first + i < rows) assign(",
        "if (first + i <= rows) assign(",
        CUDA,
    ),
    Mutant(
        "warp-maps-not-awaited",
        "missing barrier: a warp draws with maps that others have not prepared yet",
        FORWARD,
        "__syncthreads();",
        "",
        CUDA,
    ),
    Mutant(
        "warp-one-store-for-all-turns",
        "missing barrier: the tile before is overwritten while lanes still write it out",
        FORWARD,
        "tile.next(), turn ^= 1",
        "tile.next()",
        CUDA,
    ),
    Mutant(
        "warp-warp-forgotten",
        "dropped accumulate: the sums of one warp of a block are left out",
        BACKWARD,
        "for (int warp = 1; warp < kWarps; ++warp)",
        "for (int warp = 1; warp < kWarps - 1; ++warp)",
        CUDA,
    ),
    Mutant(
        "warp-share-of-the-blocks",
        "wrong reduction across lanes: half of the blocks are left out",
        BACKWARD,
        "sum += __shfl_xor_sync(kFullWarp, sum, 2 * kLanes);",
        "",
        CUDA,
    ),
    Mutant(
        "warp-reach-too-short",
        "off by one: pixels at the far end of a texel's reach are not asked",
        BACKWARD,
        "if (off_x < 1 && off_y < 1)",
        "if (off_x < 0.75 && off_y < 1)",
        CUDA,
    ),
    Mutant(
        "warp-staged-maps-overwritten",
        "missing barrier: maps of the next group overwrite those that threads still use",
        BACKWARD,
        "first += kStaged, turn ^= 1",
        "first += kStaged",
        CUDA,
    ),
    Mutant(
        "warp-triton-last-row-of-texels",
        "off by one: the row below the last texels is read (Triton)",
        TRITON_KERNELS,
        "lower = sees & (row + 1 < rows)",
        "lower = sees & (row < rows)",
        TRITON,
    ),
    Mutant(
        "warp-triton-slope",
        "sign flip: the slope between the rows (Triton)",
        TRITON_KERNELS,
        "slope_y = t01 - t00 + fx *",
        "slope_y = t00 - t01 + fx *",
        TRITON,
    ),
    Mutant(
        "warp-triton-matrix-not-transposed",
        "wrong index: the inverse takes the place of its transpose in one gradient (Triton)",
        TRITON_KERNELS,
        "(xy * q_xx + yy * q_yx)",
        "(xy * q_xx + yx * q_yx)",
        TRITON,
    ),
    Mutant(
        "warp-triton-first-band-dropped",
        "dropped accumulate: the first band of rows gives no gradient (Triton)",
        TRITON_KERNELS,
        "for band in range(0, bands):",
        "for band in range(1, bands):",
        TRITON,
    ),
    Mutant(
        "warp-triton-singular-has-a-gradient",
        "missing NaN rule: templates get a gradient from a singular matrix (Triton)",
        TRITON_KERNELS,
        'total = tl.where(xx != xx, float("nan"), total)',
        "total = tl.where(xx != xx, total, total)",
        TRITON,
    ),
    Mutant(
        "warp-triton-edge",
        "missing mask: pixels below the image are written (Triton)",
        TRITON_KERNELS,
        "value.to(out.dtype.element_ty), (u < width) & (v < height))",
        "value.to(out.dtype.element_ty), (u < width) & (v < height + 1))",
        TRITON,
    ),
)
