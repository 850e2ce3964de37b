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
)
