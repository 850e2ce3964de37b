"""Mutants of the pose losses."""

from __future__ import annotations

from tests.mutants.mutant import Mutant, Suite, cuda_suite, triton_suite

MATH = "csrc/pose_losses/math.h"
CPU_CPP = "csrc/pose_losses/cpu.cpp"
VECTORS = "csrc/pose_losses/vectors.h"
KERNELS = "csrc/pose_losses/kernels.cuh"
TRITON_KERNELS = "fastpose/ops/pose_losses/triton_kernels.py"
CPU = Suite(
    "pose_losses",
    "avx2",
    ("tests/ops/pose_losses", "-k", "cpu_avx2"),
    native=True,
)
CUDA = cuda_suite("pose_losses")
TRITON = triton_suite("pose_losses", "pose_losses_triton_interpreted")

MUTANTS = (
    Mutant(
        "losses-inside-has-a-gradient",
        "wrong branch: points between the middle and the bound are pushed, too",
        MATH,
        "(z - z), maximum(V(0) - z, z), bound);",
        "(z - z), z, bound);",
        CPU,
    ),
    Mutant(
        "losses-tail-counts",
        "uninitialised tail: lanes behind the last score count as scores of 0",
        CPU_CPP,
        "a.load(i, count, constant) - constant;",
        "a.load(i, count) - constant;",
        CPU,
    ),
    Mutant(
        "losses-expm1-of-large-numbers",
        "missing halving: 2^n overflows before the exponential does",
        VECTORS,
        "inline constexpr float kLeastExponent = -50.0f, kMostExponent = 89.0f;",
        "inline constexpr float kLeastExponent = -50.0f, kMostExponent = 80.0f;",
        CPU,
    ),
    Mutant(
        "losses-gradient-of-the-second-not-turned",
        "sign flip: both anchors of a pair are moved the same way",
        KERNELS,
        "assign(of_b.pixel[k], -grad);",
        "assign(of_b.pixel[k], grad);",
        CUDA,
    ),
    Mutant(
        "losses-packs-anywhere",
        "missing check: numbers that are not aligned are moved 16 bytes at a time",
        "csrc/common/pixels.cuh",
        "return reinterpret_cast<uintptr_t>(data) % 16 == 0;",
        "return data != nullptr || true;",
        CUDA,
    ),
    Mutant(
        "losses-rows-of-one-warp",
        "dropped accumulate: rows that other warps have added up are left out",
        KERNELS,
        "for (int i = 0; i < sharers; ++i)",
        "for (int i = 0; i < 1; ++i)",
        CUDA,
    ),
    Mutant(
        "losses-free-coordinates-are-pressed",
        "missing rule: coordinates within their free bits get gradients",
        KERNELS,
        "const T share = free ? T(0) : T(double(*grad_loss)",
        "(void)free;\n  const T share = T(double(*grad_loss)",
        CUDA,
    ),
    Mutant(
        "losses-triton-forgets-earlier-scales",
        "dropped accumulate: the loss is that of the last scale",
        TRITON_KERNELS,
        "share += tl.load(total)",
        "share += 0 * tl.load(total)",
        TRITON,
    ),
)
