"""Numbers like those of training, for the operators that draw Gaussians and templates."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from benchmarks.ops.declare import Case


def people(case: Case, seed: int) -> Tensor:
    """(B, K, 2) means inside of the picture."""
    source = torch.Generator().manual_seed(seed)
    return torch.rand(case.batch, case.count, 2, generator=source) * 1.6 - 0.8


def ellipses(shape: tuple[int, ...], seed: int) -> Tensor:
    """(..., 2, 2) covariances as those of limbs: deviations of 0.04 to 0.14, any direction."""
    source = torch.Generator().manual_seed(seed)
    along, across, turn = torch.rand(3, *shape, generator=source).unbind(0)
    variances = torch.stack((0.04 + 0.1 * along, 0.04 + 0.04 * across), -1).square()
    c, s = (math.pi * turn).cos(), (math.pi * turn).sin()
    rotation = torch.stack((c, -s, s, c), -1).unflatten(-1, (2, 2))
    return rotation @ torch.diag_embed(variances) @ rotation.mT


def affine_maps(case: Case, seed: int) -> Tensor:
    """(B, K, 2, 3) in normalised coordinates: near the identity, as when training has begun."""
    noise = case.random(case.batch, case.count, 2, 3, seed=seed)
    return torch.eye(2, 3) + torch.tensor([0.15, 0.15, 0.1]) * noise
