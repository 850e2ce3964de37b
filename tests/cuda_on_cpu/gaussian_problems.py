"""Calls of render_gaussians as arguments of its operators, with float64 answers."""

from __future__ import annotations

from collections.abc import Callable
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


def thin_maps(seed: int, moved: bool) -> Problem:
    """Gaussians in float32, at any angle, 10 to 100 times as long as wide."""
    source = generator(seed)
    thin = 10 ** (1 + seed % 5 / 4)
    leading = (4,) if moved else (2, 4)
    mean = means(source, leading, 0.9)
    covariance = covariances(source, leading, 0.04 * thin, 0.4 * thin, thin=thin)
    affine = affines(source, 2, 4) if moved else None
    jitter = 0.001 if seed % 3 == 2 else 0.0
    return Problem(mean, covariance, affine, 20, 24, jitter=jitter).to(torch.float32)


def flat_templates() -> Problem:
    """Templates that are lines or points but for rounding, which their jitter makes Gaussians."""
    flat = torch.tensor([[[1.0, 1e-4], [1e-4, 1e-12]], [[1e-12, 1e-4], [1e-4, 1.0]]])
    covariance = torch.cat((flat, torch.zeros(1, 2, 2), torch.tensor([[[0.0, 0.0], [0.0, 0.5]]])))
    source = generator(0)
    mean, affine = means(source, (4,), 0.5).float(), affines(source, 2, 4).float()
    return Problem(mean, covariance, affine, 12, 14, jitter=0.01)


def rounded(problem: Problem, source: torch.Generator) -> Problem:
    """The problem after one more rounding of its inputs to float32."""

    def change(tensor: Tensor | None) -> Tensor | None:
        if tensor is None:
            return None
        either = (torch.rand(tensor.shape, generator=source) - 0.5).sign()
        return tensor * (1 + either * 2**-24)

    mean, covariance, affine = (change(t) for t in problem.inputs)
    assert mean is not None
    return replace(problem, mean=mean, covariance=covariance, affine=affine)


def results_of(owner: Any) -> Callable[[Problem, Tensor], list[Tensor]]:
    """An owner's maps and gradients of a problem for a gradient of the maps."""
    return lambda problem, gradient: [
        problem.forward(owner),
        *problem.backward(owner, gradient.to(problem.mean.dtype)),
    ]


def assert_thin_maps_as_exact(
    results: Callable[[Problem, Tensor], list[Tensor]], moved: bool, count: int
) -> None:
    """The error rule over `count` problems; on average half of PyTorch's own error.

    `results` are the maps and the gradients of a problem for a gradient of the maps. As much error
    is granted besides as comes twice from one more rounding of the inputs.
    """
    logarithms = []
    for seed in range(count):
        problem = thin_maps(seed, moved)
        gradient = gradient_for(problem)
        exact = problem.to(torch.float64)
        again = rounded(exact, generator(seed))
        truth, plain, near = (results_of(reference)(p, gradient) for p in (exact, problem, again))
        found = [error(*pair) for pair in zip(results(problem, gradient), truth, strict=True)]
        others = [error(*pair) for pair in zip(plain, truth, strict=True)]
        for i, (own, other) in enumerate(zip(found, others, strict=True)):
            assert own <= (3 if i else 2) * other + 2 * error(near[i], truth[i])
        logarithms.append(torch.tensor(found).log() - torch.tensor(others).log())
    assert (torch.stack(logarithms).mean(0).exp() < 0.5).all()
