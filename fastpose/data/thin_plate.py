"""Random thin-plate-spline warps of pictures, for pairs made of single pictures.

After Jakab, Gupta, Bilen, Vedaldi, "Unsupervised Learning of Object Landmarks through Conditional
Image Generation" (NeurIPS 2018) and its code: parameters are drawn directly, not solved for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

_POINTS = 10  # control points along each side
_SMALLEST = 1e-8  # of a squared distance: r^2 log r^2 is 0 at 0


@dataclass(frozen=True)
class WarpConfig:
    """How strong a warp is, in normalised units (2 is the picture's side).

    Args:
        rotation: standard deviation in degrees.
        scale: standard deviation of the scale about 1.
        shift: standard deviation of the translation, each axis.
        bend: standard deviation of the spline's weights: of all, and of a random half more.
    """

    rotation: float = 0.0
    scale: float = 0.0
    shift: float = 0.1
    bend: tuple[float, float] = (0.001, 0.005)


FIRST = WarpConfig()  # makes the target of the picture
SECOND = WarpConfig(rotation=5.0, scale=0.1, shift=0.1, bend=(0.001, 0.01))  # the other of it


class ThinPlate:
    """Warps of pictures of one size; the control points lie on a fixed 10 x 10 raster.

    Args:
        size: Side S of the pictures in pixels.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        axis = torch.linspace(-1.0, 1.0, size)
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        grid = torch.stack([x.ravel(), y.ravel()], dim=-1)
        knots = torch.linspace(-1.0, 1.0, _POINTS)
        ky, kx = torch.meshgrid(knots, knots, indexing="ij")
        control = torch.stack([kx.ravel(), ky.ravel()], dim=-1)
        squared = (grid[:, None] - control).square().sum(-1).clamp_min(_SMALLEST)
        ones = torch.ones(len(grid), 1)
        basis = torch.cat([squared * squared.log(), ones, grid], dim=1)
        self._basis = basis.T.contiguous()  # (100 + 3, S*S)

    def draw(self, n: int, config: WarpConfig, rng: np.random.Generator) -> Tensor:
        """(n,S,S,2) where each pixel of the warped picture comes from, normalised, x before y."""
        count = _POINTS * _POINTS
        normal = rng.standard_normal((2, n, count, 2))
        half = rng.random((n, count, 2)) > 0.5
        weights = config.bend[0] * normal[0] + config.bend[1] * half * normal[1]
        shift = config.shift * rng.standard_normal((n, 1, 2))
        angle = np.radians(config.rotation * rng.standard_normal(n))
        scale = 1.0 + config.scale * rng.standard_normal(n)
        cos, sin = scale * np.cos(angle), scale * np.sin(angle)
        linear = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], axis=1)
        parameters = np.concatenate([weights, shift, linear], axis=1)
        # One matrix product for all n: one for each would read the basis n times.
        rows = torch.from_numpy(parameters.astype(np.float32)).transpose(1, 2).reshape(2 * n, -1)
        return (rows @ self._basis).reshape(n, 2, self.size, self.size).permute(0, 2, 3, 1)


def warp(images: Tensor, grids: Tensor) -> Tensor:
    """(B,C,S,S) sampled bilinearly at ``grids`` (B,S,S,2), corner-aligned, 0 outside."""
    return F.grid_sample(images, grids, mode="bilinear", padding_mode="zeros", align_corners=True)
