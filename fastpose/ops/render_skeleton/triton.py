"""`render_skeleton` in Triton: for GPUs where the CUDA library is missing. Not yet run on a GPU.

Limbs are prepared by a kernel of their own, so a forward is two launches and a backward three.
"""

# Triton's language does not type-check: what a kernel is called with is not what it receives.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

from __future__ import annotations

import math
from typing import Any

import torch
import triton
from torch import Tensor

from fastpose.ops.render_skeleton import triton_kernels as kernels
from fastpose.ops.render_skeleton.reference import GAUSSIAN
from fastpose.ops.triton import ONE_WARP, on_device_of

TILE = 16
GROUP = 32  # limbs or ends that a program looks at together


def _prepare(
    points: Tensor, plan: Tensor, widths: Tensor | None, limbs: int, channels: int
) -> Tensor:
    prepared = points.new_empty((points.shape[0], limbs, kernels.FIELDS.value))
    grid = (points.shape[0], triton.cdiv(limbs, GROUP))
    kernels.prepare_kernel[grid](
        points, plan, plan if widths is None else widths, prepared, *points.stride(),
        limbs, channels, WIDE=widths is not None, GROUP=GROUP, **ONE_WARP,
    )  # fmt: skip
    return prepared


def _tiles(height: int, width: int) -> tuple[int, int]:
    """Tiles in a row, and in all."""
    columns = triton.cdiv(width, TILE)
    return columns, columns * triton.cdiv(height, TILE)


def _constants(sharpness: float, profile: int, eps: float) -> dict[str, Any]:
    return dict(RATE=-sharpness / math.log(2), EPS=eps, IS_GAUSSIAN=profile == GAUSSIAN)


def into(
    points: Tensor,
    plan: Tensor,
    widths: Tensor | None,
    limbs: int,
    channels: int,
    sharpness: float,
    profile: int,
    eps: float,
    out: Tensor,
) -> None:
    """Draw into `out`, (B, C, H, W) with any strides."""
    batch, _, height, width = out.shape
    if batch == 0:
        return
    tiles_x, tiles = _tiles(height, width)
    with on_device_of("points", points):
        prepared = _prepare(points, plan, widths, limbs, channels)
        kernels.forward_kernel[(batch * tiles, channels)](
            prepared, plan, out, *out.stride(), height, width, tiles_x, tiles, limbs,
            **_constants(sharpness, profile, eps), WIDE=widths is not None,
            TILE=TILE, GROUP=GROUP, **ONE_WARP,
        )  # fmt: skip


def forward(
    points: Tensor,
    plan: Tensor,
    widths: Tensor | None,
    limbs: int,
    channels: int,
    height: int,
    width: int,
    sharpness: float,
    profile: int,
    eps: float,
    dtype: torch.dtype,
) -> Tensor:
    """The image (B, C, H, W) in [0, 1] of type `dtype`."""
    out = points.new_empty((points.shape[0], channels, height, width), dtype=dtype)
    into(points, plan, widths, limbs, channels, sharpness, profile, eps, out)
    return out


def backward(
    grad_output: Tensor,
    points: Tensor,
    plan: Tensor,
    widths: Tensor | None,
    limbs: int,
    sharpness: float,
    profile: int,
    eps: float,
) -> Tensor:
    """The gradient of the points; the same bytes on every call."""
    batch, channels, height, width = grad_output.shape
    grad_points = points.new_empty(points.shape)
    if batch == 0 or points.shape[1] == 0:
        return grad_points
    tiles_x, tiles = _tiles(height, width)
    slope = 2 * sharpness if profile == GAUSSIAN else sharpness
    with on_device_of("points", points):
        prepared = _prepare(points, plan, widths, limbs, channels)
        partial = points.new_empty((batch, tiles, limbs, kernels.SUMS.value))
        kernels.backward_kernel[(batch * tiles, channels)](
            grad_output, prepared, plan, partial, *grad_output.stride(), height, width, tiles_x,
            tiles, limbs, **_constants(sharpness, profile, eps), SLOPE=slope,
            WIDE=widths is not None, TILE=TILE, GROUP=GROUP, **ONE_WARP,
        )  # fmt: skip
        kernels.finish_kernel[(batch * points.shape[1],)](
            partial, prepared, plan, grad_points, points.shape[1], tiles, limbs, channels,
            GROUP=GROUP, **ONE_WARP,
        )  # fmt: skip
    return grad_points
