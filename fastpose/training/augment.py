"""One random similarity for both frames of a pair."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from fastpose.nn.across import ALONE, Across
from fastpose.recipes.base import Augmentation


def augment_pairs(
    target: torch.Tensor,
    other: torch.Tensor,
    config: Augmentation,
    rng: np.random.Generator,
    across: Across = ALONE,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Flip, scale, shift and rotate each pair of pictures alike, replicating their borders.

    Args:
        target, other: (B, 3, S, S) float.
        config: how much.
        rng: the only source of randomness.
        across: the processes that share the batch; each draws for all of it.
    """
    if config == Augmentation():
        return target, other
    count = len(target) * across.processes
    scale = np.exp(rng.normal(0.0, config.scale, count))
    side = np.where(rng.random(count) < 0.5, -1.0, 1.0) if config.flip else np.ones(count)
    angle = np.deg2rad(rng.normal(0.0, config.rotation, count))
    shift = rng.normal(0.0, 2.0 * config.shift, (count, 2))
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    matrix = np.stack([cos * side, -sin, shift[:, 0], sin * side, cos, shift[:, 1]], axis=-1)
    mine = matrix.reshape(count, 2, 3)[across.share(count)]
    theta = torch.from_numpy(mine.astype(np.float32))
    if target.is_cuda:  # only from pinned memory is a copy begun and not waited for
        theta = theta.pin_memory()
    theta = theta.to(target.device, non_blocking=True)
    grid = F.affine_grid(theta, list(target.shape), align_corners=True)

    def warp(images: torch.Tensor) -> torch.Tensor:
        return F.grid_sample(images, grid, padding_mode="border", align_corners=True)

    return warp(target), warp(other)
