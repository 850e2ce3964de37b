"""Mutants of soft_argmax: CUDA kernels, run on the CPU, and Triton kernels, interpreted."""

from __future__ import annotations

from tests.mutants.mutant import Mutant, cuda_suite, triton_suite

TEAM = "csrc/soft_argmax/team.cuh"
FORWARD = "csrc/soft_argmax/forward.cuh"
BACKWARD = "csrc/soft_argmax/backward.cuh"
TRITON_KERNELS = "fastpose/ops/soft_argmax/triton_kernels.py"
CUDA = cuda_suite("soft_argmax")
TRITON = triton_suite("soft_argmax", "soft_argmax_triton_interpreted")

MUTANTS = (
    Mutant(
        "argmax-columns-not-awaited",
        "missing barrier: sums of columns are added up before all warps have left theirs",
        FORWARD,
        "__syncthreads();\n    for (int n = threadIdx.x; n < kNumbers",
        "for (int n = threadIdx.x; n < kNumbers",
        CUDA,
    ),
    Mutant(
        "argmax-peaks-not-awaited",
        "missing barrier: the confidence is made of peaks that are not there yet",
        FORWARD,
        "__syncthreads();\n  for (int k = threadIdx.x; k < team.count; k += blockDim.x)\n"
        "    out.confidence",
        "for (int k = threadIdx.x; k < team.count; k += blockDim.x)\n    out.confidence",
        CUDA,
    ),
    Mutant(
        "argmax-later-columns-only",
        "dropped accumulate: of a long row only the last columns count in its mean",
        FORWARD,
        "sum = base == 0 ? row : sum + row;",
        "sum = row;",
        CUDA,
    ),
    Mutant(
        "argmax-warp-of-the-largest",
        "wrong reduction across warps: the first warp's largest logit is taken for that of all",
        FORWARD,
        "most = maximum(largest[warp * d.map_lanes + team.map], most);",
        "(void)warp;",
        CUDA,
    ),
    Mutant(
        "argmax-warps-weights",
        "dropped accumulate: the weights of all warps but the first are left out of the total",
        FORWARD,
        "sums.total += part.total;",
        "",
        CUDA,
    ),
    Mutant(
        "argmax-columns-too-heavy",
        "dropped rescaling: columns keep the weights of rows before a larger logit",
        FORWARD,
        "for (int i = 0; i < kNumbers; ++i) column[i] *= change;",
        "",
        CUDA,
    ),
    Mutant(
        "argmax-last-of-equal-logits",
        "wrong tie rule: of equal logits the one that a thread meets last is the peak",
        FORWARD,
        "sums.place = here > sums.most ? place : min(place, sums.place);",
        "sums.place = place;",
        CUDA,
    ),
    Mutant(
        "argmax-rows-below-the-map",
        "missing tail: rows below the map are read as if they were there",
        FORWARD,
        "if (team.active && y < d.height)\n          piece[j].read(",
        "if (team.active && first < d.height)\n          piece[j].read(",
        CUDA,
        which=0,
        places=2,
    ),
    Mutant(
        "argmax-column-behind-the-row",
        "off by one: the column behind a row is written",
        TEAM,
        "if (x < d.width) Pack<Pixel, kPack>::at(to,",
        "if (x <= d.width) Pack<Pixel, kPack>::at(to,",
        CUDA,
    ),
    Mutant(
        "argmax-lanes-half-summed",
        "wrong reduction across lanes: the last step of a sum is left out",
        TEAM,
        "for (int lanes = from; lanes < to; lanes *= 2) value += __shfl",
        "for (int lanes = from; lanes < to / 2; lanes *= 2) value += __shfl",
        CUDA,
    ),
    Mutant(
        "argmax-slope-of-y",
        "sign flip: rows pull the confidence the other way",
        BACKWARD,
        "(slopes.h * (d.y(y) - slopes.y) - slopes.pull);",
        "(slopes.h * (d.y(y) - slopes.y) + slopes.pull);",
        CUDA,
    ),
    Mutant(
        "argmax-peak-in-every-row",
        "wrong index: the whole column of the largest logit gets its share",
        BACKWARD,
        "if (y == slopes.row && Numbers::column(",
        "if (Numbers::column(",
        CUDA,
    ),
    Mutant(
        "argmax-sides-not-awaited",
        "missing barrier: a warp uses sums of sides that others have not left yet",
        BACKWARD,
        "  __syncthreads();\n",
        "",
        CUDA,
    ),
    Mutant(
        "argmax-triton-columns-outside",
        "missing mask: what lies behind a row counts as a logit (Triton)",
        TRITON_KERNELS,
        "return y, x, at, (y < height) & (x < width)",
        "return y, x, at, (y < height) & (x <= width)",
        TRITON,
    ),
    Mutant(
        "argmax-triton-earlier-tiles",
        "dropped rescaling: y keeps the weights of tiles before a larger logit (Triton)",
        TRITON_KERNELS,
        "moment_y = moment_y * change +",
        "moment_y = moment_y +",
        TRITON,
    ),
    Mutant(
        "argmax-triton-last-of-equal-logits",
        "wrong tie rule: of equal logits in two tiles the later one is the peak (Triton)",
        TRITON_KERNELS,
        "first = tl.where(here == most, tl.minimum(first, place), first)",
        "first = tl.where(here == most, first, first)",
        TRITON,
    ),
    Mutant(
        "argmax-triton-peak-of-a-side",
        "dropped term: the largest weight of a side gets nothing of the confidence (Triton)",
        TRITON_KERNELS,
        "return (slope + tl.where(i == first, pull, 0)) * scale",
        "return (slope + tl.where(i == first, 0, 0)) * scale",
        TRITON,
    ),
)
