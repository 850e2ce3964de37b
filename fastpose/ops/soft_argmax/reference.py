"""Reference of `soft_argmax`: the formula in plain PyTorch, for every device and for tests.

Joint: w = softmax of the whole map; x = sum of w x_j, y = sum of w y_i, confidence = max w.
Marginal: u = softmax over columns of the mean over rows, v = softmax over rows of the mean over
columns; x = sum of u_j x_j, y = sum of v_i y_i, confidence = sqrt(max u * max v).

What is kept for backward are the weights u and v themselves, (B, K, W + H), or (B, W + H, K) for
channels-last logits; in the joint mode six numbers per map, (B, K, 6): the largest logit, the
largest weight, x, y, and the column and the row of the first of the largest logits.
"""

import torch
from torch import Tensor

from fastpose.ops.precision import wide_type


def grid(size: int, extent: float, like: Tensor) -> Tensor:
    """Coordinates of a side: from -extent to extent; for a side of 1 it is 0."""
    start = -extent if size > 1 else 0.0
    return torch.linspace(start, -start, size, dtype=like.dtype, device=like.device)


def forward(
    logits: Tensor,
    joint: bool,
    extent: float,
    height: int,
    width: int,
    dtype: torch.dtype,
    channels_last: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    maps = logits.to(wide_type(dtype))
    if joint:
        flat = maps.flatten(2).softmax(-1)
        across, down = flat.view_as(maps).sum(-2), flat.view_as(maps).sum(-1)
        confidence = flat.amax(-1)
    else:
        # Divided first: the sum of very large logits would overflow.
        across = (maps / height).sum(-2).softmax(-1)
        down = (maps / width).sum(-1).softmax(-1)
        confidence = (across.amax(-1) * down.amax(-1)).sqrt()
    # Not a matrix product: autocast would round the coordinates to bfloat16.
    x = (across * grid(width, extent, maps)).sum(-1)
    y = (down * grid(height, extent, maps)).sum(-1)
    if joint:
        logit, place = maps.flatten(2).amax(-1), maps.flatten(2).argmax(-1)
        column, row = (place % width).to(maps), (place // width).to(maps)
        kept = torch.stack((logit, confidence, x, y, column, row), -1)
    else:
        kept = torch.cat((across, down), -1)
        kept = kept.mT.contiguous() if channels_last else kept
    return torch.stack((x, y), -1), confidence, kept


def backward(
    grad_points: Tensor | None,
    grad_confidence: Tensor | None,
    logits: Tensor | None,
    kept: Tensor,
    joint: bool,
    extent: float,
    height: int,
    width: int,
    dtype: torch.dtype,
    channels_last: bool,
) -> Tensor:
    """With g the gradient of x, h that of y and c that of the confidence p, the gradient is

    joint: w_ij (g (x_j - x) + h (y_i - y) - c p), and c p more at the first of the largest logits;
    marginal: a_j / H + b_i / W with a_j = u_j (g (x_j - x) - c p / 2), and c p / 2 more at the
    first of the largest weights; b_i alike.
    """
    maps = (kept.shape[0], kept.shape[2 if channels_last and not joint else 1])
    to_points = kept.new_zeros(*maps, 2) if grad_points is None else grad_points
    pull = kept.new_zeros(maps) if grad_confidence is None else grad_confidence
    g, h, pull = to_points[..., :1], to_points[..., 1:], pull[..., None]
    xs, ys = grid(width, extent, kept), grid(height, extent, kept)
    if joint:
        assert logits is not None
        logit, confidence, x, y, column, row = kept.split(1, -1)
        pull = pull * confidence
        weights = confidence[..., None] * (logits.to(kept.dtype) - logit[..., None]).exp()
        across, down = g * (xs - x), h * (ys - y) - pull
        grad = weights * (across[..., None, :] + down[..., None])
        place = (row * width + column).long()
        grad = grad.flatten(2).scatter_add(-1, place, pull).view(*maps, height, width)
    else:
        across, down = (kept.mT if channels_last else kept).split((width, height), -1)
        pull = pull * (across.amax(-1, True) * down.amax(-1, True)).sqrt() / 2
        a = _side_gradient(across, xs, g, pull) / height
        b = _side_gradient(down, ys, h, pull) / width
        grad = a[..., None, :] + b[..., None]
    form = torch.channels_last if channels_last else torch.contiguous_format
    return grad.to(dtype).contiguous(memory_format=form)


def _side_gradient(weights: Tensor, grid: Tensor, grad: Tensor, pull: Tensor) -> Tensor:
    centre = (weights * grid).sum(-1, True)
    slope = weights * (grad * (grid - centre) - pull)
    return slope.scatter_add(-1, weights.argmax(-1, True), pull)
