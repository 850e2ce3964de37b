"""Calls of render_gaussians as arguments of its operators, with float64 answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from fastpose.ops.render_gaussians import reference
from fastpose.ops.render_gaussians.samples import affines, covariances, means
from fastpose.ops.samples import Sample, generator
from tests.cuda_on_cpu.problems import error


@dataclass(frozen=True)
class Problem:
    """One drawing: what every owner of the operator is asked."""

    mean: Tensor
    covariance: Tensor | None
    affine: Tensor | None
    height: int
    width: int
    variance: float = 0.0
    jitter: float = 0.0

    @property
    def inputs(self) -> tuple[Tensor, Tensor | None, Tensor | None]:
        return self.mean, self.covariance, self.affine

    @property
    def shape(self) -> tuple[int, int, int, int]:
        batched = self.mean if self.affine is None else self.affine
        return batched.shape[0], batched.shape[1], self.height, self.width

    def to(self, *where: Any) -> Problem:
        """The same problem of another type or on another device."""
        changed = [None if t is None else t.to(*where) for t in self.inputs]
        mean, covariance, affine = changed
        assert mean is not None
        return replace(self, mean=mean, covariance=covariance, affine=affine)

    def forward(self, owner: Any, dtype: torch.dtype | None = None) -> Tensor:
        size, widening = (self.height, self.width), (self.variance, self.jitter)
        return owner.forward(*self.inputs, *size, *widening, dtype or self.mean.dtype)

    def into(self, owner: Any, out: Tensor) -> Tensor:
        owner.into(*self.inputs, self.variance, self.jitter, out)
        return out

    def backward(self, owner: Any, grad_output: Tensor) -> list[Tensor]:
        """The gradients of the tensors that there are."""
        needs = [t is not None for t in self.inputs]
        found = owner.backward(grad_output, *self.inputs, self.variance, self.jitter, *needs)
        return [gradient for gradient, needed in zip(found, needs, strict=True) if needed]


def problem_of(sample: Sample) -> Problem:
    """The operator's arguments for a call of the public function."""
    mean, covariance, size, affine = sample.args
    height, width = size if isinstance(size, tuple) else (size, size)
    variance = 0.0
    if isinstance(covariance, Tensor):
        leading = (*mean.shape[:-1], 2, 2)
        covariance = covariance.expand(leading)
    else:
        covariance, variance = None, covariance
    return Problem(mean, covariance, affine, height, width, variance, **sample.kwargs)


def random_maps(
    seed: int,
    maps: int,
    size: tuple[int, int],
    *,
    batch: int = 1,
    kind: str = "turned",
    dtype: torch.dtype = torch.float32,
    least: float = 0.1,
    most: float = 0.5,
    jitter: float = 0.0,
) -> Problem:
    """Random Gaussians of a kind: "round" (one variance), "straight" (diagonal), "turned", "mixed"
    (every second one diagonal) or "moved" (templates)."""
    source = generator(seed)
    leading = (maps,) if kind == "moved" else (batch, maps)
    mean = means(source, leading, 0.9)
    covariance = covariances(source, leading, least, most, 0.0 if kind == "straight" else 1.0)
    if kind == "mixed":
        covariance[:, ::2] *= torch.eye(2, dtype=torch.float64)
    affine = affines(source, batch, maps) if kind == "moved" else None
    problem = Problem(mean, covariance, affine, *size, jitter=jitter)
    if kind == "round":
        problem = replace(problem, covariance=None, variance=0.03)
    return problem.to(dtype)


def gradient_for(problem: Problem, seed: int = 0, dtype: torch.dtype | None = None) -> Tensor:
    """A random gradient of the maps."""
    drawn = torch.randn(problem.shape, generator=generator(seed), dtype=torch.float64)
    return drawn.to(dtype or problem.mean.dtype)


def assert_as_exact(problem: Problem, owner: Any, dtype: torch.dtype | None = None) -> None:
    """The owner's results err at most 2 (maps) and 3 (gradients) times as much as PyTorch's own.

    Both are compared with the reference in float64; `dtype` is that of the maps.
    """
    dtype = dtype or problem.mean.dtype
    floor = {torch.float64: 1e-13}.get(problem.mean.dtype, 1e-6)
    exact = problem.to(torch.float64)
    truth = exact.forward(reference)
    own = error(problem.forward(owner, dtype), truth)
    assert own <= 2 * error(problem.forward(reference, dtype), truth) + floor
    gradient = gradient_for(problem, dtype=dtype)
    truths = exact.backward(reference, gradient.double())
    plains = problem.backward(reference, gradient)
    for mine, plain, true in zip(problem.backward(owner, gradient), plains, truths, strict=True):
        assert mine.shape == true.shape
        assert error(mine, true) <= 3 * error(plain, true) + floor
