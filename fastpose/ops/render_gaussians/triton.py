"""`render_gaussians` in Triton: for GPUs without the CUDA library. Not yet run on a GPU."""

# Triton's language does not type-check: what a kernel is called with is not what it receives.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

from __future__ import annotations

from typing import Any

import torch
import triton
from torch import Tensor

from fastpose.ops.render_gaussians import triton_kernels as kernels
from fastpose.ops.triton import FOUR_WARPS, ONE_WARP, on_device_of

MOST_TOGETHER = 32  # maps that a program draws where they lie side by side
PIXELS = 2048  # of a tile in the forward pass
TILE_Y, TILE_X, PART = 4, 64, 2048  # backward: tiles, and about so many pixels to a program
GROUP = 32


def _tensors(
    mean: Tensor, covariance: Tensor | None, affine: Tensor | None
) -> tuple[tuple[Tensor, Tensor, Tensor], tuple[int, ...], dict[str, Any]]:
    """Tensors (something for those that are not there), strides and constants for the kernels."""

    def strides(tensor: Tensor | None, count: int) -> tuple[int, ...]:
        given = () if tensor is None else tensor.stride()
        return (0,) * (count - len(given)) + given  # that of a template over the batch is 0

    tensors = (
        mean,
        mean if covariance is None else covariance,
        mean if affine is None else affine,
    )
    steps = (*strides(mean, 3), *strides(covariance, 4), *strides(affine, 4))
    return tensors, steps, dict(HAS_COVARIANCE=covariance is not None, MOVED=affine is not None)


def _grid(height: int, width: int) -> tuple[float, ...]:
    """Where pixel centres lie: start and step along x and along y."""
    found: tuple[float, ...] = ()
    for size in (width, height):
        found += (-1.0, 2.0 / (size - 1)) if size > 1 else (0.0, 0.0)
    return found


def into(
    mean: Tensor,
    covariance: Tensor | None,
    affine: Tensor | None,
    variance: float,
    jitter: float,
    out: Tensor,
) -> None:
    """Draw into `out`, (B, K, H, W) with any strides."""
    batch, maps, height, width = out.shape
    tensors, steps, constants = _tensors(mean, covariance, affine)
    together = 1
    if out.stride(1) < out.stride(3):
        together = min(MOST_TOGETHER, triton.next_power_of_2(max(maps, 1)))
    tile_x = min(triton.next_power_of_2(width), 128 if together == 1 else PIXELS // MOST_TOGETHER)
    tile_y = PIXELS // tile_x if together == 1 else 1
    tile_y = min(tile_y, triton.next_power_of_2(height))
    groups = triton.cdiv(maps, together)
    tiles_y, tiles_x = triton.cdiv(height, tile_y), triton.cdiv(width, tile_x)
    with on_device_of("mean", mean):
        if batch * maps == 0:
            return
        kernels.forward_kernel[(batch * groups * tiles_y * tiles_x,)](
            *tensors, out, *steps, *out.stride(), maps, height, width, groups, tiles_y, tiles_x,
            *_grid(height, width), variance, jitter, **constants, MAPS=together, TILE_Y=tile_y,
            TILE_X=tile_x, **FOUR_WARPS,
        )  # fmt: skip


def forward(
    mean: Tensor,
    covariance: Tensor | None,
    affine: Tensor | None,
    height: int,
    width: int,
    variance: float,
    jitter: float,
    dtype: torch.dtype,
) -> Tensor:
    """The maps (B, K, H, W) of type `dtype`."""
    batched = mean if affine is None else affine
    out = mean.new_empty((*batched.shape[:2], height, width), dtype=dtype)
    into(mean, covariance, affine, variance, jitter, out)
    return out


def backward(
    grad_output: Tensor,
    mean: Tensor,
    covariance: Tensor | None,
    affine: Tensor | None,
    variance: float,
    jitter: float,
    needs_mean: bool,
    needs_covariance: bool,
    needs_affine: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients; the same bytes on every call and for every layout of `grad_output`."""
    batch, maps, height, width = grad_output.shape
    tensors, steps, constants = _tensors(mean, covariance, affine)
    wanted = (needs_mean, needs_covariance, needs_affine)
    found = tuple(
        mean.new_empty(value.shape if value is not None and want else 0)
        for value, want in zip((mean, covariance, affine), wanted, strict=True)
    )
    rows = triton.cdiv(triton.cdiv(PART, width), TILE_Y) * TILE_Y
    parts = triton.cdiv(height, rows)
    partial = mean.new_empty((batch * maps, parts, kernels.SUMS.value))
    with on_device_of("mean", mean):
        if batch * maps > 0:
            kernels.backward_kernel[(batch * maps * parts,)](
                grad_output, *tensors, partial, *steps, *grad_output.stride(), maps, height,
                width, parts, rows, *_grid(height, width), variance, jitter, **constants,
                TILE_Y=TILE_Y, TILE_X=TILE_X, **ONE_WARP,
            )  # fmt: skip
        programs = maps if affine is not None else triton.cdiv(batch * maps, GROUP)
        if programs > 0:
            kernels.finish_kernel[(programs,)](
                partial, *tensors, *found, *steps, batch, maps, parts, variance, jitter,
                **constants, WANT_MEAN=needs_mean,
                WANT_COVARIANCE=needs_covariance and covariance is not None,
                WANT_AFFINE=needs_affine and affine is not None, GROUP=GROUP, **ONE_WARP,
            )  # fmt: skip
    return found[0], found[1], found[2]
