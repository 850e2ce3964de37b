"""The loss of `feature_distance` as others compute it: features and targets of L layers, (B, C, H,
W) each, to a scalar. Each layer's mean distance is divided by its running mean, which it moves."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

MOMENTUM = 1.0  # the running means stay as they are, so that every call is the same
EPS = 1e-8


def layer_by_layer(
    features: Sequence[Tensor], targets: Sequence[Tensor], norm: str, means: Sequence[Tensor]
) -> Tensor:
    """KeypointGAN's way, but for the host, which it asks whether a mean is there yet."""
    total = torch.zeros((), device=features[0].device)
    for x, y, mean in zip(features, targets, means, strict=True):
        loss = F.mse_loss(x, y) if norm == "l2" else F.l1_loss(x, y)
        with torch.no_grad():
            mean.copy_(MOMENTUM * mean + (1 - MOMENTUM) * loss)
        total = total + loss / (mean + EPS)
    return total / len(features)


def stacked(
    features: Sequence[Tensor],
    targets: Sequence[Tensor],
    norm: str,
    mask: Tensor | None,
    running_mean: Tensor,
) -> Tensor:
    """One vector of all layers' means, wide differences, the mask averaged down to each layer."""
    losses = []
    for x, y in zip(features, targets, strict=True):
        difference = x.float() - y.float()
        distance = difference.square() if norm == "l2" else difference.abs()
        if mask is not None:
            distance = distance * F.adaptive_avg_pool2d(mask, (x.shape[2], x.shape[3]))
        losses.append(distance.mean())
    means = torch.stack(losses)
    with torch.no_grad():
        running_mean.copy_(torch.lerp(means, running_mean, MOMENTUM))
    return (means / (running_mean + EPS)).mean()
