"""Calls of structural_similarity as arguments of its operators, with float64 answers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fastpose.ops.samples import Sample
from fastpose.ops.structural_similarity import WINDOWS, reference
from fastpose.ops.structural_similarity.samples import pictures

Results = tuple[Tensor, Tensor, Tensor]


def arguments(sample: Sample) -> tuple[Tensor, Tensor, int, float, bool]:
    """Of the operator, as the public function makes them."""
    window = sample.kwargs.get("window", "gaussian")
    covariance = sample.kwargs.get("use_sample_covariance", window == "uniform")
    x, y = sample.args
    return x, y, WINDOWS[window], sample.kwargs.get("data_range", 1.0), covariance


def some_pictures(
    *shape: int, seed: int = 0, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    x, y = pictures(torch.Generator().manual_seed(seed), shape, 0.5, 1.0)
    return x.to(dtype), y.to(dtype)


def results(
    owner: Any, x: Tensor, y: Tensor, window: int = 0, data_range: float = 1.0,
    covariance: bool = False, wanted: tuple[bool, bool] = (True, True),
) -> Results:  # fmt: skip
    """Values, and gradients of their sum weighted with 1, 2, ..."""
    values, *slopes = owner.forward(x, y, window, data_range, covariance, *wanted)
    weights = torch.arange(1, len(values) + 1, dtype=values.dtype)
    return values, *owner.backward(weights, *slopes, window, data_range, *wanted)


def assert_as_exact(owner: Any, x: Tensor, y: Tensor, *how: Any) -> None:
    """Results err at most 2 (value) and 3 (gradients) times as much as PyTorch's own, values next
    to 1 and both gradients next to the larger one; in float64, where PyTorch's is the answer, by
    what its subtractions lose."""
    floor = {torch.float64: 2e-12, torch.float32: 2e-6, torch.bfloat16: 5e-3, torch.float16: 6e-4}
    exact = results(reference, x.double(), y.double(), *how)
    plain = results(reference, x, y, *how)
    own = results(owner, x, y, *how)
    larger = max(float(g.norm()) for g in exact[1:])
    scales = (float(exact[0].clamp(min=1).norm()), larger, larger)
    for got, usual, want, scale, factor in zip(own, plain, exact, scales, (2, 3, 3), strict=True):
        assert got.dtype == usual.dtype and got.shape == want.shape
        most = factor * float((usual - want).norm()) + floor[x.dtype] * scale
        assert float((got - want).norm()) <= most
