"""Owners of soft_argmax asked with the arguments of its schemas, and how exact they must be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fastpose.ops.samples import Sample, generator
from fastpose.ops.soft_argmax import reference


@dataclass(frozen=True)
class Problem:
    """Logits and how they are decoded: what every owner of the operator is asked."""

    logits: Tensor
    joint: bool = False
    extent: float = 1.0

    @property
    def options(self) -> tuple[Any, ...]:
        height, width = self.logits.shape[2:]
        stride = self.logits.stride()
        channels_last = stride[1] == 1 and stride[3] != 1
        return (self.joint, self.extent, height, width, self.logits.dtype, channels_last)

    def with_logits(self, logits: Tensor) -> Problem:
        return Problem(logits, self.joint, self.extent)

    def forward(self, owner: Any) -> tuple[Tensor, Tensor, Tensor]:
        return owner.forward(self.logits, *self.options)

    def backward(
        self, owner: Any, grad_points: Tensor | None, grad_confidence: Tensor | None
    ) -> Tensor:
        """From what the owner's own forward keeps."""
        kept = self.forward(owner)[2]
        logits = self.logits if self.joint else None
        return owner.backward(grad_points, grad_confidence, logits, kept, *self.options)


def problem_of(sample: Sample) -> Problem:
    joint = sample.kwargs.get("mode") == "joint"
    return Problem(sample.args[0], joint, sample.kwargs.get("extent", 1.0))


def random_maps(
    seed: int,
    shape: tuple[int, int, int, int],
    *,
    joint: bool = False,
    dtype: torch.dtype = torch.float32,
    channels_last: bool = False,
    extent: float = 1.0,
) -> Problem:
    drawn = torch.randn(shape, generator=generator(seed), dtype=torch.float64) * 3 + 5
    form = torch.channels_last if channels_last else torch.contiguous_format
    return Problem(drawn.to(dtype).contiguous(memory_format=form), joint, extent)


def gradients_for(problem: Problem, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random gradients of points and confidence, in the type of the results."""
    maps = problem.logits.shape[:2]
    source, dtype = generator(seed), reference.wide(problem.logits.dtype)
    points = torch.randn(*maps, 2, generator=source, dtype=torch.float64)
    return points.to(dtype), torch.randn(maps, generator=source, dtype=torch.float64).to(dtype)


def everything(problem: Problem, owner: Any) -> list[Tensor]:
    """Points, confidence, and the gradient of the logits."""
    points, confidence, _ = problem.forward(owner)
    return [points, confidence, problem.backward(owner, *gradients_for(problem))]


def error(result: Tensor, exact: Tensor, least: float = 0.0) -> float:
    """L2 distance, relative to that of the exact result from 0 or to `least`."""
    if exact.numel() == 0:
        return 0.0
    difference = (result.double() - exact.double()).norm()
    return float(difference / exact.double().norm().clamp(min=max(least, 1e-30)))


def assert_as_exact(problem: Problem, owner: Any) -> None:
    """The owner's results err at most 2 (results) and 3 (gradient) times as much as PyTorch's own.

    Both are compared with the reference in float64.
    """
    exact = problem.with_logits(problem.logits.double())
    truth = exact.forward(reference)
    grad_points, grad_confidence = gradients_for(problem)
    gradients = grad_points.double(), grad_confidence.double()
    logits = exact.logits if exact.joint else None
    slope = reference.backward(*gradients, logits, truth[2], *exact.options)
    plain, own = everything(problem, reference), everything(problem, owner)
    floor = 1e-12 if problem.logits.dtype == torch.float64 else 4e-7
    for found, usual, want, factor in zip(own, plain, [*truth[:2], slope], (2, 2, 3), strict=True):
        assert found.dtype == usual.dtype and found.shape == usual.shape
        # Points near the centre are as exact as those at the edge: the grid has size 1.
        least = 0.1 * want.numel() ** 0.5 if want is truth[0] else 0.0
        assert error(found, want, least) <= factor * error(usual, want, least) + floor
