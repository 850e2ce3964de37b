"""Reference of `warp_templates`: the formula in plain PyTorch, for every device and for tests.

Pixel p of map (b, k) sees template k at s = M (p - t), where M is the inverse of A and [A | t] is
affine[b, k]. Let i = floor(s) and f = s - i. With the four texels around s, T00 at i, T10 right of
it, T01 below, T11 below right, each 0 if it is not in the template,

    top = T00 + fx (T10 - T00),  bottom = T01 + fx (T11 - T01),  value = top + fy (bottom - top).

Backward. q = grad d(value)/ds summed up over the pixels gives everything: ds = M dp for a moved
pixel, so dt costs -M^T sum(q), and dM = -M dA M, so dA costs -M^T sum(q s^T).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

SINGULAR = 4  # a determinant of so few roundings of its terms is 0


class Patches(NamedTuple):
    """What the pixels see; maps are (B, K, H, W)."""

    texels: tuple[Tensor, Tensor, Tensor, Tensor]  # T00, T10, T01, T11
    places: tuple[Tensor, Tensor, Tensor, Tensor]  # where they are in templates.flatten()
    within: tuple[Tensor, Tensor, Tensor, Tensor]  # whether they are in it at all
    x: Tensor  # s
    y: Tensor
    right: Tensor  # f
    down: Tensor


def inverse_of(affine: Tensor) -> Tensor:
    """M (B, K, 2, 2); NaN where A is singular or anything is not finite."""
    a, b, c, d = affine[..., :2].flatten(-2).unbind(-1)
    limits = torch.finfo(affine.dtype)
    determinant = a * d - b * c
    terms = (a * d).abs() + (b * c).abs()
    inverse = torch.stack((d, -b, -c, a), -1) / determinant[..., None]
    regular = (
        (determinant.abs() > SINGULAR * limits.eps * terms)
        & (determinant.abs() >= limits.tiny)
        & (terms <= limits.max)
        & inverse.isfinite().all(-1)
        & affine.isfinite().all(-1).all(-1)
    )
    return inverse.where(regular[..., None], torch.nan).unflatten(-1, (2, 2))


def patches_of(
    templates: Tensor, affine: Tensor, inverse: Tensor, height: int, width: int
) -> Patches:
    count, rows, columns = templates.shape
    to_x = torch.arange(width, device=affine.device).to(affine.dtype) - affine[..., 0, 2, None]
    to_y = torch.arange(height, device=affine.device).to(affine.dtype) - affine[..., 1, 2, None]
    to_x, to_y = to_x[:, :, None, :], to_y[:, :, :, None]
    m = inverse[..., None, None]
    x = m[:, :, 0, 0] * to_x + m[:, :, 0, 1] * to_y
    y = m[:, :, 1, 0] * to_x + m[:, :, 1, 1] * to_y
    sees = (x >= -1) & (x < columns) & (y >= -1) & (y < rows)
    x, y = x.where(sees, 0), y.where(sees, 0)
    left, top = x.floor().long(), y.floor().long()
    template = torch.arange(count, device=x.device)[:, None, None]
    texels, places, within = [], [], []
    for row, column in ((top, left), (top, left + 1), (top + 1, left), (top + 1, left + 1)):
        inside = sees & (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        place = ((template * rows + row) * columns + column).where(inside, 0)
        texels.append(templates.flatten()[place].where(inside, 0))
        places.append(place)
        within.append(inside)
    return Patches(tuple(texels), tuple(places), tuple(within), x, y, x - left, y - top)


def forward(
    templates: Tensor, affine: Tensor, height: int, width: int, dtype: torch.dtype
) -> Tensor:
    inverse = inverse_of(affine)
    patches = patches_of(templates, affine, inverse, height, width)
    t00, t10, t01, t11 = patches.texels
    top, bottom = t00 + patches.right * (t10 - t00), t01 + patches.right * (t11 - t01)
    value = top + patches.down * (bottom - top)
    return (value + 0 * inverse[..., :1, :1]).to(dtype)


def into(templates: Tensor, affine: Tensor, out: Tensor) -> None:
    out.copy_(forward(templates, affine, out.shape[2], out.shape[3], out.dtype))


def backward(
    grad_output: Tensor,
    templates: Tensor,
    affine: Tensor,
    needs_templates: bool,
    needs_affine: bool,
) -> tuple[Tensor, Tensor]:
    inverse = inverse_of(affine)
    patches = patches_of(templates, affine, inverse, grad_output.shape[2], grad_output.shape[3])
    gradient = grad_output.to(templates.dtype)
    none = templates.new_empty(0)
    return (
        _grad_templates(gradient, templates, inverse, patches) if needs_templates else none,
        _grad_affine(gradient, inverse, patches) if needs_affine else none,
    )


def _times(gradient: Tensor, factor: Tensor) -> Tensor:
    """A gradient reaches only what would move the value, whatever it is."""
    return (gradient * factor).where(factor != 0, 0)


def _grad_affine(gradient: Tensor, inverse: Tensor, patches: Patches) -> Tensor:
    t00, t10, t01, t11 = patches.texels
    top, bottom = t10 - t00, t11 - t01
    left, right = t01 - t00, t11 - t10
    q = (
        _times(gradient, top + patches.down * (bottom - top)),
        _times(gradient, left + patches.right * (right - left)),
    )
    sums = torch.stack(
        [(along * s).sum((2, 3)) for along in q for s in (patches.x, patches.y)]
        + [along.sum((2, 3)) for along in q],
        -1,
    )
    moments = torch.cat((sums[..., :4].unflatten(-1, (2, 2)), sums[..., 4:, None]), -1)
    return -inverse.mT @ moments


def _grad_templates(
    gradient: Tensor, templates: Tensor, inverse: Tensor, patches: Patches
) -> Tensor:
    right, down = patches.right, patches.down
    weights = (
        (1 - right) * (1 - down),
        right * (1 - down),
        (1 - right) * down,
        right * down,
    )
    total = torch.zeros_like(templates).flatten()
    for weight, place, inside in zip(weights, patches.places, patches.within, strict=True):
        share = _times(gradient, weight.where(inside, 0))
        total = total.index_add(0, place.flatten(), share.flatten())
    spoilt = inverse.isnan().any(-1).any(-1).any(0)
    return total.view_as(templates).masked_fill(spoilt[:, None, None], torch.nan)
