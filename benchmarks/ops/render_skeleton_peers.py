"""The drawing of `render_skeleton` as others write it in PyTorch, for one channel of plain limbs.

All compute the same function, exp(-sharpness * sqrt(d^2 + eps)) with d the distance to the nearest
limb.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Drawing = Callable[
    [Tensor, Tensor, int, float, float], Tensor
]  # points, limbs, size, sharpness, eps


def pixel_grid(size: int, like: Tensor) -> Tensor:
    """(size, size, 2) pixel centres, (x, y)."""
    side = torch.linspace(-1, 1, size, dtype=like.dtype, device=like.device)
    y, x = torch.meshgrid(side, side, indexing="ij")
    return torch.stack((x, y), -1)


def ends_of(points: Tensor, limbs: Tensor) -> tuple[Tensor, Tensor]:
    """(B, E, 2) starts and ends.

    By `gather`, because torch 2.13 compiles the gradient of indexing (and of `index_select`) for
    several CPU threads to additions at wrong places: in its vectorised loop the step between x and
    y of a joint is taken for 2 instead of 1, so that y's gradient goes to the next joint's x, and
    past the tensor's end for the last. On one thread another loop is made, which is right.
    """
    index = limbs.t()[:, None, :, None].expand(2, points.shape[0], -1, 2)
    return points.gather(1, index[0]), points.gather(1, index[1])


def keypoint_gan(points: Tensor, limbs: Tensor, size: int, sharpness: float, eps: float) -> Tensor:
    """KeypointGAN's order of operations (spec 3.1, 3.3): an image of every limb, then the maximum.

    Pixel minus start, nearest point and difference are (B, E, H, W, 2) tensors.
    """
    u = pixel_grid(size, points)
    a, b = (end[:, :, None, None] for end in ends_of(points, limbs))
    along = ((u - a) * (b - a)).sum(-1)
    t = (along / (b - a).square().sum(-1).clamp_min(1e-6)).clamp(0, 1)
    nearest = a + t[..., None] * (b - a)
    distance = ((nearest - u).square().sum(-1) + eps).sqrt()
    return (-sharpness * distance).exp().max(1, keepdim=True).values


def minimum_first(points: Tensor, limbs: Tensor, size: int, sharpness: float, eps: float) -> Tensor:
    """The same, with the minimum taken before the root and the exponential."""
    u = pixel_grid(size, points)
    a, b = (end[:, :, None, None] for end in ends_of(points, limbs))
    direction = b - a
    offset = u - a
    t = (offset * direction).sum(-1) / direction.square().sum(-1).clamp_min(1e-6)
    squared = (offset - t.clamp(0, 1)[..., None] * direction).square().sum(-1)
    squared = squared.min(1, keepdim=True).values
    return (-sharpness * (squared + eps).sqrt()).exp()


def auto_link(points: Tensor, limbs: Tensor, size: int, sharpness: float, eps: float) -> Tensor:
    """AutoLink's way: distances to the start, the end and the line, each under its own mask."""
    u = pixel_grid(size, points).reshape(1, 1, size * size, 2)
    a, b = ends_of(points, limbs)
    direction = b - a
    from_start, from_end = u - a[:, :, None], u - b[:, :, None]
    t = (from_start @ direction[..., None])[..., 0]
    t = t / (direction.square().sum(-1, keepdim=True) + 1e-8)
    before = (t <= 0).to(t) * from_start.square().sum(-1)
    after = (t >= 1).to(t) * from_end.square().sum(-1)
    nearest = a[:, :, None] + t[..., None] * direction[:, :, None]
    between = (t > 0).to(t) * (t < 1).to(t) * (u - nearest).square().sum(-1)
    squared = (before + after + between).reshape(*a.shape[:2], size, size)
    return (-sharpness * (squared + eps).sqrt()).exp().max(1, keepdim=True).values


def _split_distances(points: Tensor, limbs: Tensor, size: int) -> Tensor:
    """Squared distances (B,E,H,W), x and y apart: no trailing axis of two."""
    side = torch.linspace(-1, 1, size, dtype=points.dtype, device=points.device)
    a, b = ends_of(points, limbs)
    ax, ay = a[:, :, None, None].unbind(-1)
    bx, by = b[:, :, None, None].unbind(-1)
    dx, dy = bx - ax, by - ay
    per_length = 1 / (dx * dx + dy * dy).clamp_min(1e-6)
    ux, uy = side[None, None, None, :] - ax, side[None, None, :, None] - ay
    t = (ux * (dx * per_length) + uy * (dy * per_length)).clamp(0, 1)
    rx, ry = ux - t * dx, uy - t * dy
    return rx * rx + ry * ry


def split(points: Tensor, limbs: Tensor, size: int, sharpness: float, eps: float) -> Tensor:
    """An expert's rewrite: split coordinates, one root and exponential."""
    squared = _split_distances(points, limbs, size).amin(1, keepdim=True)
    return (-sharpness * (squared + eps).sqrt()).exp()


def split_by_index(
    points: Tensor, limbs: Tensor, size: int, sharpness: float, eps: float
) -> Tensor:
    """The same with the gradient going to an index instead of to all that equal the minimum."""
    squared = _split_distances(points, limbs, size).min(1, keepdim=True).values
    return (-sharpness * (squared + eps).sqrt()).exp()


def winner_only(points: Tensor, limbs: Tensor, size: int, sharpness: float, eps: float) -> Tensor:
    """The nearest limb is searched for without a gradient; then only its distance is computed.

    What has a gradient is as small as the image. `gather` of one coordinate at a time, because that
    compiles to the fastest code.
    """
    with torch.no_grad():
        winner = _split_distances(points, limbs, size).argmin(1)
    a, b = ends_of(points, limbs)
    limb = torch.cat((a, b - a), -1)
    of_pixel = winner.flatten(1)
    ax, ay, dx, dy = (limb[..., i].gather(1, of_pixel).view(winner.shape) for i in range(4))
    side = torch.linspace(-1, 1, size, dtype=points.dtype, device=points.device)
    ux, uy = side[None, None, :] - ax, side[None, :, None] - ay
    t = ((ux * dx + uy * dy) / (dx * dx + dy * dy).clamp_min(1e-6)).clamp(0, 1)
    rx, ry = ux - t * dx, uy - t * dy
    return (-sharpness * (rx * rx + ry * ry + eps).sqrt()).exp()[:, None]
