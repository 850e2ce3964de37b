"""`structural_similarity` in Triton: for GPUs where the CUDA library is missing. Not yet run on a
GPU."""

# Triton's language does not type-check: what a kernel is called with is not what it receives.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

from __future__ import annotations

from typing import Any

import torch
import triton
from torch import Tensor

from fastpose.ops.precision import wide_type
from fastpose.ops.structural_similarity import reference
from fastpose.ops.structural_similarity import triton_kernels as kernels
from fastpose.ops.triton import FOUR_WARPS, on_device_of

BLOCK = 256


def _window(window: int) -> dict[str, Any]:
    return dict(REACH=reference.SIDE[window] - 1, TAPS=reference.taps_of(window))


def forward(
    x: Tensor,
    y: Tensor,
    window: int,
    data_range: float,
    sample_covariance: bool,
    slope_of_x: bool,
    slope_of_y: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """The similarity (B,) and slopes as large as the images where they are asked for."""
    batch, channels, height, width = x.shape
    wide = wide_type(x.dtype)
    values = x.new_empty(batch, dtype=wide)
    slope_x = torch.empty_like(x) if slope_of_x else x.new_empty(0)
    slope_y = torch.empty_like(y) if slope_of_y else y.new_empty(0)
    with on_device_of("x", x):
        if batch == 0:
            return values, slope_x, slope_y
        how = _window(window) | dict(BLOCK=BLOCK) | FOUR_WARPS
        planes, pixels = batch * channels, reference.SIDE[window] ** 2
        rows, columns = height - how["REACH"], width - how["REACH"]
        images = (*x.stride(), *y.stride())
        size, scale = (channels, height, width), 1 / data_range
        norm = pixels / (pixels - 1) if sample_covariance else 1.0
        wanted = slope_of_x or slope_of_y
        down = x.new_empty((planes, 4, rows, width), dtype=wide)
        kernels.down_kernel[(planes, triton.cdiv(rows * width, BLOCK))](
            x, y, down, *images, *size, SCALE=scale, **how
        )
        blocks = triton.cdiv(rows * columns, BLOCK)
        partial = x.new_empty((planes, blocks), dtype=torch.float64)
        slope = x.new_empty((planes, 4, rows, columns) if wanted else 0, dtype=wide)
        kernels.compare_kernel[(planes, blocks)](
            x, y, down, slope, partial, *images, *size, blocks,
            SCALE=scale, NORM=norm, C1=2 * reference.K1**2, C2=2 * reference.K2**2,
            SLOPES=wanted, **how,
        )  # fmt: skip
        kernels.finish_kernel[(batch,)](
            partial, values, channels * blocks, channels * rows * columns,
            BLOCK=BLOCK, **FOUR_WARPS,
        )  # fmt: skip
        if wanted:
            along = down  # whose contents are no longer needed
            kernels.along_kernel[(planes, triton.cdiv(rows * width, BLOCK), 4)](
                slope, along, height, width, **how
            )
            to_x, to_y = (s.stride() if s.ndim == 4 else (0, 0, 0, 0) for s in (slope_x, slope_y))
            kernels.up_kernel[(planes, triton.cdiv(height * width, BLOCK))](
                x, y, along, slope_x, slope_y, *images, *to_x, *to_y, *size,
                SCALE=scale, WANT_X=slope_of_x, WANT_Y=slope_of_y, **how,
            )  # fmt: skip
    return values, slope_x, slope_y


def backward(
    grad_output: Tensor,
    slope_x: Tensor,
    slope_y: Tensor,
    window: int,
    data_range: float,
    needs_x: bool,
    needs_y: bool,
) -> tuple[Tensor, Tensor]:
    """The gradients that are wanted; the same bytes on every call."""

    def gradient(slope: Tensor, needed: bool) -> Tensor:
        if not needed:
            return slope.new_empty(0)
        grad = torch.empty_like(slope)
        batch, channels, height, width = slope.shape
        reach = reference.SIDE[window] - 1
        windows = channels * (height - reach) * (width - reach)
        if batch > 0:
            kernels.backward_kernel[(batch * channels, triton.cdiv(height * width, BLOCK))](
                slope, grad, grad_output, grad_output.stride(0), *slope.stride(), *grad.stride(),
                channels, height, width, windows, SCALE=1 / data_range, BLOCK=BLOCK, **FOUR_WARPS,
            )  # fmt: skip
        return grad

    with on_device_of("grad_output", grad_output):
        return gradient(slope_x, needs_x), gradient(slope_y, needs_y)
