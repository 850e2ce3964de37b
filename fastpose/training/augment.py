"""One random similarity for both frames of a pair, or for a frame and its labels."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fastpose.nn.across import ALONE, Across
from fastpose.recipes.base import Augmentation
from fastpose.training.device import to_device


def augment(
    batch: MutableMapping[str, Tensor],
    config: Augmentation,
    rng: np.random.Generator,
    across: Across = ALONE,
    mirror: Sequence[int] = (),
) -> None:
    """Flip, scale, shift and rotate all that a batch shows of a frame alike, borders replicated.

    Args:
        batch: ``target`` and, of pairs, ``other`` (B, 3, S, S) float, changed to channels-last;
            of labelled frames ``points`` (B, K, 2), normalised, and ``known`` (B, K), whose joints
            change sides with a flip.
        config: how much.
        rng: the only source of randomness.
        across: the processes that share the batch; each draws for all of it.
        mirror: for each joint of ``points`` the one on the other side.
    """
    if config == Augmentation():
        return
    target = batch["target"]
    count = len(target) * across.processes
    scale = np.exp(rng.normal(0.0, config.scale, count))
    side = np.where(rng.random(count) < 0.5, -1.0, 1.0) if config.flip else np.ones(count)
    angle = np.deg2rad(rng.normal(0.0, config.rotation, count))
    shift = rng.normal(0.0, 2.0 * config.shift, (count, 2))
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    matrix = np.stack([cos * side, -sin, shift[:, 0], sin * side, cos, shift[:, 1]], axis=-1)
    mine = matrix.reshape(count, 2, 3)[across.share(count)]
    # From where in the old picture a place of the new one comes.
    theta = to_device(mine.astype(np.float32), target.device)
    grid = F.affine_grid(theta, list(target.shape), align_corners=True)
    for name in ("target", "other"):
        if name in batch:
            images = F.grid_sample(batch[name], grid, padding_mode="border", align_corners=True)
            batch[name] = images.contiguous(memory_format=torch.channels_last)
    if "points" in batch:
        points, known = batch["points"], batch["known"]
        flipped = to_device((side < 0.0)[across.share(count)], target.device)
        other_side = to_device(np.array(mirror), target.device)
        points = torch.where(flipped[:, None, None], points[:, other_side], points)
        batch["known"] = torch.where(flipped[:, None], known[:, other_side], known)
        back = to_device(np.linalg.inv(mine[:, :, :2]).astype(np.float32), target.device)
        batch["points"] = (points - theta[:, None, :, 2]) @ back.mT
