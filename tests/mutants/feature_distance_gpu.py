"""Mutants of feature_distance: CUDA kernels, run on the CPU, and Triton kernels, interpreted."""

from __future__ import annotations

from tests.mutants.mutant import Mutant, cuda_suite, triton_suite

WORK = "csrc/feature_distance/work.cuh"
FORWARD = "csrc/feature_distance/forward.cuh"
BACKWARD = "csrc/feature_distance/backward.cuh"
TRITON_KERNELS = "fastpose/ops/feature_distance/triton_kernels.py"
CUDA = cuda_suite("feature_distance")
TRITON = triton_suite("feature_distance", "feature_distance_triton_interpreted")

MUTANTS = (
    Mutant(
        "distance-numbers-behind-the-packs",
        "missing tail: the last numbers of a layer, which fill no 16 bytes, are left out",
        WORK,
        "return whole < end ? sum + chunk.template run<Number, 1>(whole, end, more...) : sum;",
        "return sum;",
        CUDA,
    ),
    Mutant(
        "distance-chunk-over-the-end",
        "missing clamp: the last chunk of a layer is taken for a whole one",
        WORK,
        "return min(begin(l, chunk) + kChunk, numel[l]);",
        "return begin(l, chunk) + kChunk;",
        CUDA,
    ),
    Mutant(
        "distance-one-warp-adds-up",
        "dropped accumulate: of the sums of chunks only those of the first warp count",
        FORWARD,
        "for (int w = 0; w < kWarps; ++w) sum += sums[lane * kWarps + w];",
        "sum = sums[lane * kWarps];",
        CUDA,
    ),
    Mutant(
        "distance-slope-of-equal-numbers",
        "wrong tie rule: the slope of L1 is 1 where the two are equal",
        FORWARD,
        "T(difference > 0) - T(difference < 0)",
        "T(difference >= 0) - T(difference < 0)",
        CUDA,
    ),
    Mutant(
        "distance-weights-of-the-first-image",
        "wrong index: packs of pixels take the weights of the first image",
        FORWARD,
        "const T* from = weights + index / channels * pixels + at;",
        "const T* from = weights + at;",
        CUDA,
    ),
    Mutant(
        "distance-window-of-a-lane",
        "dropped accumulate: of a window that a warp averages only the first lane's part counts",
        FORWARD,
        "if (lanes == kWarpSize) sum = warp_sum(sum);",
        "",
        CUDA,
    ),
    Mutant(
        "distance-barrier-of-a-chunk",
        "missing barrier: a chunk is added up before its warps are done",
        FORWARD,
        "  __syncthreads();\n  if (threadIdx.x != 0) return;",
        "  if (threadIdx.x != 0) return;",
        CUDA,
    ),
    Mutant(
        "distance-finished-or-not",
        "wrong branch: gradients that are to be multiplied are not, and the others are",
        BACKWARD,
        "if (factor == T(1)) return;",
        "if (factor != T(1)) return;",
        CUDA,
    ),
    Mutant(
        "distance-triton-weights-of-the-first-image",
        "wrong index: layers with pixels last take the weights of the first image",
        TRITON_KERNELS,
        "pixel = i // pixels // channels * pixels + i % pixels",
        "pixel = i % pixels",
        TRITON,
    ),
    Mutant(
        "distance-triton-factor-twice",
        "wrong branch: factors that are applied already are left for the backward",
        TRITON_KERNELS,
        "((known >> layer) & 1) != 0",
        "((known >> layer) & 1) == 0",
        TRITON,
    ),
)
