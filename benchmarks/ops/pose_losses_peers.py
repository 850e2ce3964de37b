"""The pose losses as they are written down: formulas in PyTorch, to be compiled."""

from __future__ import annotations

import torch
from torch import Tensor


def anchor_loss(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).square().sum(-1).mean()


def boundary_loss(points: Tensor, bound: float) -> Tensor:
    distance = points.abs()
    return torch.where(distance > bound, distance, 0).sum((1, 2)).mean()


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()


def free_bits(mean: Tensor, log_variance: Tensor, least: float) -> Tensor:
    each = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean(0)
    return each.clamp_min(least).sum()


def least_squares_gan(*scores: Tensor, target: float) -> Tensor:
    return torch.stack([(s - target).square().mean() for s in scores]).mean()
