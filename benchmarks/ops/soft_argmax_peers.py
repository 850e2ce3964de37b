"""The points of `soft_argmax` as others compute them: (B, K, h, w) logits to (B, K, 2), (x, y).

Ours returns a confidence too; these do not compute one.
"""

from __future__ import annotations

import torch
from torch import Tensor


def side_of(size: int, like: Tensor) -> Tensor:
    return torch.linspace(-1, 1, size, dtype=like.dtype, device=like.device)


# --- joint: a softmax over the whole map ----------------------------------------------------------


def grid_product(logits: Tensor) -> Tensor:
    """Expectation over a grid as it is written: a (B, K, h, w, 2) product, summed."""
    height, width = logits.shape[-2:]
    weights = logits.flatten(2).softmax(-1).view_as(logits)
    y, x = torch.meshgrid(side_of(height, logits), side_of(width, logits), indexing="ij")
    return (weights[..., None] * torch.stack((x, y), -1)).sum((2, 3))


def marginal_sums(logits: Tensor) -> Tensor:
    """Sums of the weights along rows and columns first, then the expectation of each."""
    height, width = logits.shape[-2:]
    weights = logits.flatten(2).softmax(-1).view_as(logits)
    x = (weights.sum(-2) * side_of(width, logits)).sum(-1)
    y = (weights.sum(-1) * side_of(height, logits)).sum(-1)
    return torch.stack((x, y), -1)


def matrix_product(logits: Tensor) -> Tensor:
    """The expectation as a product with the grid's (h w, 2) matrix."""
    height, width = logits.shape[-2:]
    y, x = torch.meshgrid(side_of(height, logits), side_of(width, logits), indexing="ij")
    return logits.flatten(2).softmax(-1) @ torch.stack((x.flatten(), y.flatten()), -1)


def unnormalised(logits: Tensor) -> Tensor:
    """One pass of exponentials, and one division per point instead of one per pixel."""
    height, width = logits.shape[-2:]
    weights = (logits - logits.amax((2, 3), keepdim=True).detach()).exp()
    across, down = weights.sum(-2), weights.sum(-1)
    x = (across * side_of(width, logits)).sum(-1)
    y = (down * side_of(height, logits)).sum(-1)
    return torch.stack((x, y), -1) / across.sum(-1)[..., None]


def kornia_soft_argmax(logits: Tensor) -> Tensor:
    from kornia.geometry.subpix import spatial_soft_argmax2d

    return spatial_soft_argmax2d(logits)


# --- marginal: a softmax over each of the means along columns and rows ----------------------------


def keypoint_gan(logits: Tensor) -> Tensor:
    """KeypointGAN's and IMM's order of operations."""
    height, width = logits.shape[-2:]
    x = (logits.mean(-2).softmax(-1) * side_of(width, logits)).sum(-1)
    y = (logits.mean(-1).softmax(-1) * side_of(height, logits)).sum(-1)
    return torch.stack((x, y), -1)
