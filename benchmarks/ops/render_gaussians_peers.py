"""The maps of `render_gaussians` as others compute them in PyTorch.

All compute exp(-d^T S^-1 d / 2) with d from a mean to a pixel, unless they say otherwise.
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.ops import warp_templates_peers as warps


def side_of(size: int, like: Tensor) -> Tensor:
    """Normalised pixel centres along a side."""
    return torch.linspace(-1, 1, size, dtype=like.dtype, device=like.device)


def pixel_grid(size: int, like: Tensor) -> Tensor:
    """(size, size, 2) pixel centres, (x, y)."""
    y, x = torch.meshgrid(side_of(size, like), side_of(size, like), indexing="ij")
    return torch.stack((x, y), -1)


# --- one variance for both axes, mean (B, K, 2) --------------------------------------------------


def imm(mean: Tensor, variance: float, size: int) -> Tensor:
    """IMM's order of operations: pixel minus mean as a (B, K, H, W, 2) tensor."""
    offset = pixel_grid(size, mean) - mean[:, :, None, None]
    return (-offset.square().sum(-1) / (2 * variance)).exp()


def split_isotropic(mean: Tensor, variance: float, size: int) -> Tensor:
    """Squares of x and y apart, added where they meet."""
    side = side_of(size, mean)
    x, y = ((side - mean[..., i, None]).square() for i in range(2))
    return ((x[:, :, None] + y[..., None]) * (-0.5 / variance)).exp()


def separable(mean: Tensor, variance: float, size: int) -> Tensor:
    """A product of two rows of exponentials."""
    side = side_of(size, mean)
    x, y = ((-0.5 / variance * (side - mean[..., i, None]).square()).exp() for i in range(2))
    return y[..., None] * x[:, :, None]


# --- a covariance each, (B, K, 2, 2) -------------------------------------------------------------


def inverse_entries(covariance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """xx, xy and yy of the inverse of symmetric 2x2 matrices, each (..., 1, 1).

    Off the diagonal stands the mean of both, so that each gets half of the gradient.
    """
    xx, yy = covariance[..., 0, 0], covariance[..., 1, 1]
    xy = (covariance[..., 0, 1] + covariance[..., 1, 0]) / 2
    scale = 1 / (xx * yy - xy * xy)
    found = (yy * scale, -xy * scale, xx * scale)
    return found[0][..., None, None], found[1][..., None, None], found[2][..., None, None]


def quadratic_form(mean: Tensor, covariance: Tensor, size: int) -> Tensor:
    """d^T S^-1 d as it is written: (B, K, H, W, 2) vectors and matrix products."""
    offset = pixel_grid(size, mean) - mean[:, :, None, None]
    precision = torch.linalg.inv(covariance)[:, :, None]
    return (-0.5 * ((offset @ precision) * offset).sum(-1)).exp()


def split_anisotropic(mean: Tensor, covariance: Tensor, size: int) -> Tensor:
    """Three products of rows and columns."""
    xx, xy, yy = inverse_entries(covariance)
    side = side_of(size, mean)
    x = (side - mean[..., 0, None])[:, :, None]
    y = (side - mean[..., 1, None])[..., None]
    return (-0.5 * (xx * x * x + yy * y * y) - xy * (x * y)).exp()


# --- templates (K, 2), (K, 2, 2) moved by an affine map each, (B, K, 2, 3) -----------------------


def moved(affine: Tensor, mean: Tensor, covariance: Tensor) -> tuple[Tensor, Tensor]:
    """A c + t and A S A^T."""
    linear, shift = affine[..., :2], affine[..., 2]
    centre = (linear @ mean[..., None])[..., 0] + shift
    return centre, linear @ covariance @ linear.transpose(-1, -2)


def moved_by_hand(affine: Tensor, mean: Tensor, covariance: Tensor) -> tuple[Tensor, Tensor]:
    """The same by elements, which compiles into one loop: matrix products would stay calls."""
    linear, shift = affine[..., :2], affine[..., 2]
    centre = (linear * mean[:, None]).sum(-1) + shift
    half = (linear[..., :, :, None] * covariance[:, None]).sum(-2)
    return centre, (half[..., :, None, :] * linear[..., None, :, :]).sum(-1)


def template_form(affine: Tensor, mean: Tensor, covariance: Tensor, size: int) -> Tensor:
    return quadratic_form(*moved(affine, mean, covariance), size)


def template_split(affine: Tensor, mean: Tensor, covariance: Tensor, size: int) -> Tensor:
    return split_anisotropic(*moved_by_hand(affine, mean, covariance), size)


def in_pixels(affine: Tensor, size: int) -> Tensor:
    """Normalised affine maps as maps between pixels of square pictures."""
    half = (size - 1) / 2
    linear, shift = affine[..., :2], affine[..., 2:]
    return torch.cat((linear, half * (1 + shift - linear.sum(-1, keepdim=True))), -1)


def template_kornia(affine: Tensor, templates: Tensor, size: int) -> Tensor:
    """The paper's way, another function: a drawn template (K, size, size) is sampled bilinearly."""
    return warps.kornia_warp(templates, in_pixels(affine, size), size)


def template_grid_sample(affine: Tensor, templates: Tensor, size: int) -> Tensor:
    """As before, with PyTorch's own functions."""
    return warps.grid_sample(templates, in_pixels(affine, size), size)
