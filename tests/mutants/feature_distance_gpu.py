"""Mutants of feature_distance: CUDA kernels, run on the CPU."""

from __future__ import annotations

from tests.mutants.mutant import Mutant, cuda_suite

WORK = "csrc/feature_distance/work.cuh"
CUDA = cuda_suite("feature_distance")

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
)
