"""The warp of `warp_templates` as others compute it: (B, K, 2, 3) maps from pixels of the templates
(K, h, w) to pixels of the image, sampled bilinearly, zero outside."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def kornia_warp(templates: Tensor, affine: Tensor, size: int) -> Tensor:
    """Shape templates' way: one picture and one matrix per part, the matrix inverted inside."""
    from kornia.geometry.transform import warp_affine

    batch, parts = affine.shape[:2]
    pictures = templates.expand(batch, -1, -1, -1).flatten(0, 1)[:, None]
    matrices = affine.flatten(0, 1)
    warped = warp_affine(pictures, matrices, (size, size), align_corners=True)
    return warped.view(batch, parts, size, size)


def inverse(affine: Tensor) -> Tensor:
    """Of affine maps (..., 2, 3)."""
    a, b, c, d = (affine[..., i, j] for i in range(2) for j in range(2))
    scale = 1 / (a * d - b * c)
    linear = torch.stack((d * scale, -b * scale, -c * scale, a * scale), -1)
    linear = linear.unflatten(-1, (2, 2))
    shift = (linear * affine[..., None, :, 2]).sum(-1, keepdim=True)
    return torch.cat((linear, -shift), -1)


def normalised(affine: Tensor, source: tuple[int, int], target: tuple[int, int]) -> Tensor:
    """A map from target to source in pixels as one between [-1, 1], corners at the ends.

    source, target: (width, height).
    """
    options = {"dtype": affine.dtype, "device": affine.device}
    half_target = (torch.tensor(target, **options) - 1) / 2
    half_source = (torch.tensor(source, **options)[:, None] - 1) / 2
    linear, shift = affine[..., :2] * half_target, affine[..., 2:]
    shift = shift + linear.sum(-1, keepdim=True)
    return torch.cat((linear, shift - half_source), -1) / half_source


def grid_sample(templates: Tensor, affine: Tensor, size: int) -> Tensor:
    """`affine_grid` and `grid_sample`, one picture per part."""
    batch, parts = affine.shape[:2]
    height, width = templates.shape[-2:]
    theta = normalised(inverse(affine), (width, height), (size, size)).flatten(0, 1)
    grid = functional.affine_grid(theta, [batch * parts, 1, size, size], align_corners=True)
    pictures = templates.expand(batch, -1, -1, -1).flatten(0, 1)[:, None]
    warped = functional.grid_sample(pictures, grid, align_corners=True)
    return warped.view(batch, parts, size, size)


def gathered(templates: Tensor, affine: Tensor, size: int) -> Tensor:
    """Bilinear sampling by hand, for compilers: four gathers and no grid in memory.

    The templates get no gradient.
    """
    parts, height, width = templates.shape
    back = inverse(affine)[..., None, None]
    side = torch.arange(size, dtype=affine.dtype, device=affine.device)
    x, y = (
        back[:, :, i, 0] * side + back[:, :, i, 1] * side[:, None] + back[:, :, i, 2]
        for i in range(2)
    )
    left, top = x.detach().floor(), y.detach().floor()
    right_share, lower_share = x - left, y - top
    part = torch.arange(parts, device=affine.device)[:, None, None] * (height * width)

    def at(column: Tensor, row: Tensor) -> Tensor:
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        place = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
        return templates.detach().flatten()[place.long() + part] * inside

    upper = torch.lerp(at(left, top), at(left + 1, top), right_share)
    lower = torch.lerp(at(left, top + 1), at(left + 1, top + 1), right_share)
    return torch.lerp(upper, lower, lower_share)
