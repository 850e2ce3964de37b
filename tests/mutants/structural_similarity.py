"""Mutants of structural_similarity."""

from __future__ import annotations

from tests.mutants.mutant import Mutant, cpu_suite, cuda_suite, triton_suite

MATH = "csrc/structural_similarity/math.h"
CPU_CPP = "csrc/structural_similarity/cpu.cpp"
REGISTER = "csrc/structural_similarity/register.cpp"
TILE = "csrc/structural_similarity/tile.cuh"
KERNELS = "csrc/structural_similarity/kernels.cuh"
TRITON_KERNELS = "fastpose/ops/structural_similarity/triton_kernels.py"
CPU = cpu_suite("structural_similarity")
CUDA = cuda_suite("structural_similarity")
TRITON = triton_suite("structural_similarity", "structural_similarity_triton_interpreted")

MUTANTS = (
    Mutant(
        "ssim-slope-without-the-mean",
        "dropped term: how a mean changes the variance is missing in the gradient",
        MATH,
        "slope.d = multiply_add(V(0) - light * d, bright, V(0) - mean.d * slope.dd);",
        "slope.d = multiply_add(V(0) - light * d, bright, V(0));",
        CPU,
    ),
    Mutant(
        "ssim-windows-above-are-left-out",
        "off by one: the tile's first pixels get nothing of the window that is furthest above",
        CPU_CPP,
        "const int first = kSlopes ? greatest(top - kReach, 0) : top;",
        "const int first = kSlopes ? greatest(top - kReach + 1, 0) : top;",
        CPU,
    ),
    Mutant(
        "ssim-flat-whatever-the-strides",
        "wrong stride: gradients are written in a row whatever the strides say",
        REGISTER,
        "const bool flat = lie_flat(from, to, size);",
        "const bool flat = lie_flat(from, to, size) || true;",
        CPU,
    ),
    Mutant(
        "ssim-windows-over-the-border",
        "missing mask: windows that reach over the lower border count",
        TILE,
        "y >= 0 && y < pair_.height - kReach && x >= 0",
        "y >= 0 && y < pair_.height && x >= 0",
        CUDA,
    ),
    Mutant(
        "ssim-centre-of-the-difference",
        "wrong rule: a pixel that is not finite reaches the whole tile",
        TILE,
        "const bool usual = fabs(x) * scale_ < 8 && fabs(y) * scale_ < 8;",
        "const bool usual = true;",
        CUDA,
    ),
    Mutant(
        "ssim-sums-before-they-are-there",
        "missing barrier: sums along the rows read sums down the columns that are not there yet",
        KERNELS,
        "tile.sum_down();\n  __syncthreads();",
        "tile.sum_down();",
        CUDA,
    ),
    Mutant(
        "ssim-batch-shares-one-gradient",
        "wrong index: every picture gets the gradient that arrived for the first",
        KERNELS,
        "const T share = T(double(grad_output[b * stride]) * per_window);",
        "const T share = T(double(grad_output[0 * stride]) * per_window);",
        CUDA,
        which=0,
        places=2,
    ),
    Mutant(
        "ssim-triton-last-window-of-a-row",
        "off by one: the last window of a row hands nothing to its pixels",
        TRITON_KERNELS,
        "counts = inside & (window >= 0) & (window < across)",
        "counts = inside & (window >= 0) & (window < across - 1)",
        TRITON,
    ),
)
