"""Calls of render_skeleton as arguments of its operators, with float64 answers and a tie mask."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from fastpose.ops.render_skeleton import PROFILES, reference
from fastpose.ops.render_skeleton.plan import Plan, plan_for
from fastpose.ops.samples import Sample, generator


@dataclass(frozen=True)
class Problem:
    """One drawing: what every owner of the operator is asked."""

    points: Tensor
    plan: Plan
    height: int
    width: int
    sharpness: float = 25.0
    profile: int = reference.EXPONENTIAL
    eps: float = 1e-6

    @property
    def drawing(self) -> tuple[Any, ...]:
        plan = self.plan
        return (self.points, plan.packed, plan.widths, plan.limbs, plan.channels)

    @property
    def fall_off(self) -> tuple[float, int, float]:
        return (self.sharpness, self.profile, self.eps)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (self.points.shape[0], self.plan.channels, self.height, self.width)

    def with_points(self, points: Tensor) -> Problem:
        return replace(self, points=points)

    def on(self, device: str) -> Problem:
        """The same problem on another device."""
        plan = self.plan
        widths = None if plan.widths is None else plan.widths.to(device)
        return replace(
            self,
            points=self.points.to(device),
            plan=replace(plan, packed=plan.packed.to(device), widths=widths),
        )

    def forward(self, owner: Any, dtype: torch.dtype | None = None) -> Tensor:
        size = (self.height, self.width)
        return owner.forward(*self.drawing, *size, *self.fall_off, dtype or self.points.dtype)

    def into(self, owner: Any, out: Tensor) -> Tensor:
        owner.into(*self.drawing, *self.fall_off, out)
        return out

    def backward(self, owner: Any, grad_output: Tensor) -> Tensor:
        points, packed, widths, limbs, _ = self.drawing
        return owner.backward(grad_output, points, packed, widths, limbs, *self.fall_off)

    def exact(self) -> Problem:
        """In float64: what the reference answers to it is the truth."""
        return self.with_points(self.points.double())


def problem_of(sample: Sample) -> Problem:
    points, limbs, size = sample.args
    options = dict(sample.kwargs)
    plan = plan_for(
        limbs, options.pop("channels", None), options.pop("widths", None), points.device
    )
    height, width = size if isinstance(size, tuple) else (size, size)
    if "profile" in options:
        options["profile"] = PROFILES[options["profile"]]
    return Problem(points, plan, height, width, **options)


def random_drawing(
    seed: int,
    limbs: int,
    size: tuple[int, int],
    *,
    batch: int = 1,
    joints: int = 12,
    channels: int = 1,
    wide: bool = False,
    dtype: torch.dtype = torch.float32,
    **options: Any,
) -> Problem:
    """Random limbs between joints that lie mostly on the image."""
    source = generator(seed)
    ends = torch.randint(joints, (limbs, 2), generator=source).tolist()
    which = torch.randint(channels, (limbs,), generator=source).tolist()
    which[0] = channels - 1  # so that there are as many
    widths = (torch.rand(limbs, generator=source) * 0.2).tolist() if wide else None
    points = torch.rand(batch, joints, 2, generator=source, dtype=torch.float64) * 2.4 - 1.2
    plan = plan_for(ends, which, widths, torch.device("cpu"))
    return Problem(points.to(dtype), plan, *size, **options)


def gradient_for(problem: Problem, seed: int = 0, dtype: torch.dtype | None = None) -> Tensor:
    """A random gradient of the image, 0 where the winner is nearly a tie (see `clear_of_ties`)."""
    drawn = torch.randn(problem.shape, generator=generator(seed), dtype=torch.float64)
    return (drawn * clear_of_ties(problem)).to(dtype or problem.points.dtype)


def clear_of_ties(problem: Problem, gap: float = 1e-5) -> Tensor:
    """Pixels whose nearest limb is nearer than any other by `gap` in the squared distance.

    Which of two equally near limbs wins is a matter of rounding, and decides who gets the pixel's
    gradient. Limbs that meet in a joint and are both nearest there are no tie: they move together.
    """
    exact = problem.exact()
    points, packed, widths, limbs, channels = exact.drawing
    ends = reference.ends_of(points, packed, limbs, channels)
    near = list(reference.nearest_points(ends, widths, limbs, problem.height, problem.width))
    squared = torch.cat([n.squared for n in near], 1)
    residual = torch.cat([n.residual for n in near], 1)
    clear = torch.ones(problem.shape, dtype=torch.bool)
    for channel in ends.channel.unique():
        mine = ends.channel == channel
        best, winner = squared[:, mine].min(1, keepdim=True)
        place = residual[:, mine].take_along_dim(winner[..., None], 1)
        elsewhere = (residual[:, mine] - place).square().sum(-1) > 1e-20
        nearly = (squared[:, mine] - best < gap) & elsewhere
        clear[:, channel] = ~nearly.any(1)
    return clear


def error(result: Tensor, exact: Tensor) -> float:
    """Relative L2 distance."""
    if exact.numel() == 0:
        return 0.0
    difference = (result.double() - exact.double()).norm()
    return float(difference / exact.double().norm().clamp(min=1e-30))


def assert_as_exact(problem: Problem, owner: Any, dtype: torch.dtype | None = None) -> None:
    """The owner's results err at most 2 (image) and 3 (gradient) times as much as PyTorch's own.

    Both are compared with the reference in float64; `dtype` is that of the image.
    """
    dtype = dtype or problem.points.dtype
    floor = {torch.float64: 1e-13}.get(problem.points.dtype, 5e-7)
    exact = problem.exact()
    truth = exact.forward(reference)
    own = error(problem.forward(owner, dtype), truth)
    assert own <= 2 * error(problem.forward(reference, dtype), truth) + floor
    gradient = gradient_for(problem, dtype=dtype)
    truth = exact.backward(reference, gradient.double())
    own = error(problem.backward(owner, gradient), truth)
    assert own <= 3 * error(problem.backward(reference, gradient), truth) + floor
