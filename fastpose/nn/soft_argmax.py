"""Separable soft-argmax of KeypointGAN and IMM (spec 4.4)."""

from __future__ import annotations

import torch


def marginal_soft_argmax(
    logits: torch.Tensor, extent: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Expected position of each map's marginals, and how peaked they are.

    Columns' logits are the mean over rows and the other way round; a softmax over each gives the
    weights of a corner-aligned grid. This is not a softmax over the whole map.

    Args:
        logits: (B, K, h, w).
        extent: the grid spans [-extent, extent]; beyond 1 points may lie outside the picture.

    Returns:
        points (B, K, 2) as (x, y) and confidence (B, K) in (0, 1]: the geometric mean of the
        largest weight of either marginal.
    """
    rows, columns = logits.shape[-2:]
    options = {"dtype": torch.float32, "device": logits.device}
    across = logits.float().mean(dim=-2).softmax(dim=-1)
    down = logits.float().mean(dim=-1).softmax(dim=-1)
    # Not a matrix product: autocast would round the coordinates to bfloat16.
    x = (across * torch.linspace(-extent, extent, columns, **options)).sum(dim=-1)
    y = (down * torch.linspace(-extent, extent, rows, **options)).sum(dim=-1)
    confidence = (across.amax(dim=-1) * down.amax(dim=-1)).sqrt()
    return torch.stack((x, y), dim=-1), confidence
