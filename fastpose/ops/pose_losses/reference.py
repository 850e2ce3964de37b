"""References of the pose losses: the formulas in plain PyTorch, for every device and for tests.

Each computes in float64 for float64, else in float32. An empty batch gives 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fastpose.ops.precision import wide_type

COMPONENTS = 3  # of homogeneous coordinates, over which the code form takes means


def _wide(tensor: Tensor) -> Tensor:
    """The numbers to compute with, in the order in which they are added up whatever the strides."""
    return tensor.to(wide_type(tensor.dtype)).contiguous()


def _as(tensor: Tensor, gradient: Tensor) -> Tensor:
    """The gradient in the type of the tensor, without gaps."""
    return tensor.new_empty(tensor.shape).copy_(gradient)


# --- anchors --------------------------------------------------------------------------------------


def anchor_denominator(shape: torch.Size, code_form: bool) -> int:
    """What the sum of squared differences of coordinates is divided by."""
    batch, pairs = shape[:2]
    return max(batch * (COMPONENTS if code_form else pairs), 1)


def anchor_forward(a: Tensor, b: Tensor, code_form: bool) -> Tensor:
    return (_wide(a) - _wide(b)).square().sum() / anchor_denominator(a.shape, code_form)


def anchor_backward(
    grad_output: Tensor, a: Tensor, b: Tensor, code_form: bool, needs_a: bool, needs_b: bool
) -> tuple[Tensor, Tensor]:
    share = 2 * grad_output / anchor_denominator(a.shape, code_form)
    grad = share * (_wide(a) - _wide(b))
    return (
        _as(a, grad) if needs_a else a.new_empty(0),
        _as(b, -grad) if needs_b else b.new_empty(0),
    )


# --- boundary -------------------------------------------------------------------------------------


def boundary_denominator(shape: torch.Size, code_form: bool) -> int:
    """What the sum over coordinates outside is divided by."""
    return max(shape[0] * (COMPONENTS if code_form else 1), 1)


def boundary_forward(points: Tensor, bound: float, code_form: bool) -> Tensor:
    distance = _wide(points).abs()
    outside = ~(distance <= bound)  # NaN is
    return distance.where(outside, 0).sum() / boundary_denominator(points.shape, code_form)


def boundary_backward(grad_output: Tensor, points: Tensor, bound: float, code_form: bool) -> Tensor:
    at = _wide(points)
    sign = (at.sign() + (at - at)).where(~(at.abs() <= bound), 0)
    return _as(points, sign * (grad_output / boundary_denominator(points.shape, code_form)))


# --- divergence -----------------------------------------------------------------------------------


def divergence_forward(
    mean: Tensor, log_variance: Tensor, free_bits: float
) -> tuple[Tensor, Tensor]:
    """The divergence and, with free bits, the mean over the batch of each coordinate's, (D,)."""
    wide = wide_type(mean.dtype)
    mu, log_sigma2 = _wide(mean), _wide(log_variance)
    each = 0.5 * (mu.square() + (log_sigma2.expm1() - log_sigma2))
    coordinates = each.sum(0) / max(mean.shape[0], 1)
    if free_bits == 0:
        return coordinates.sum(), mean.new_empty(0, dtype=wide)
    total = coordinates.clamp_min(free_bits).sum()
    return total * (mean.shape[0] > 0), coordinates


def divergence_backward(
    grad_output: Tensor,
    mean: Tensor,
    log_variance: Tensor,
    coordinates: Tensor,
    free_bits: float,
    needs_mean: bool,
    needs_log_variance: bool,
) -> tuple[Tensor, Tensor]:
    share = grad_output / max(mean.shape[0], 1)
    if free_bits > 0:
        share = share * ~(coordinates <= free_bits)
    no, slope = mean.new_empty(0), 0.5 * _wide(log_variance).expm1()
    return (
        _as(mean, _wide(mean) * share) if needs_mean else no,
        _as(mean, slope * share) if needs_log_variance else no,
    )


# --- adversary ------------------------------------------------------------------------------------


def score_denominators(scores: list[Tensor]) -> list[int]:
    """What the sum of squared differences of each scale is divided by."""
    return [len(scores) * max(s.numel(), 1) for s in scores]


def least_squares_forward(scores: list[Tensor], target: float) -> Tensor:
    means = [(_wide(s) - target).square().sum() / max(s.numel(), 1) for s in scores]
    return torch.stack(means).sum() / len(scores)


def least_squares_backward(
    grad_output: Tensor, scores: list[Tensor], target: float
) -> list[Tensor]:
    shares = [2 * grad_output / denominator for denominator in score_denominators(scores)]
    return [_as(s, (_wide(s) - target) * share) for s, share in zip(scores, shares, strict=True)]
