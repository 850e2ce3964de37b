"""`soft_argmax` in Triton: for GPUs where the CUDA library is missing. Not yet run on a GPU."""

# Triton's language does not type-check: what a kernel is called with is not what it receives.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

from __future__ import annotations

import torch
import triton
from torch import Tensor

from fastpose.ops.precision import wide_type
from fastpose.ops.soft_argmax import triton_kernels as kernels
from fastpose.ops.triton import FOUR_WARPS, on_device_of

NUMBERS = 1024  # of a tile at most
SIDE = 128  # numbers of a side that a program looks at together


def tile(height: int, width: int) -> dict[str, int]:
    """Rows and columns that a program looks at together: whole rows where they are not long."""
    columns = min(triton.next_power_of_2(width), 256)
    return dict(ROWS=min(triton.next_power_of_2(height), NUMBERS // columns, 64), COLUMNS=columns)


def _steps(kept: Tensor, channels_last: bool) -> tuple[int, int, int]:
    """Of the weights of the sides: from image to image, from map to map, and within a map."""
    image, _, _ = kept.stride()
    return (image, 1, kept.shape[2]) if channels_last else (image, kept.shape[2], 1)


def forward(
    logits: Tensor,
    joint: bool,
    extent: float,
    height: int,
    width: int,
    dtype: torch.dtype,
    channels_last: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    batch, maps = logits.shape[:2]
    shape = (batch, maps, kernels.NUMBERS.value if joint else width + height)
    if channels_last and not joint:
        shape = (batch, width + height, maps)
    points = logits.new_empty((batch, maps, 2), dtype=wide_type(dtype))
    confidence = logits.new_empty((batch, maps), dtype=wide_type(dtype))
    kept = logits.new_empty(shape, dtype=wide_type(dtype))
    with on_device_of("logits", logits):
        if batch * maps == 0:
            return points, confidence, kept
        grid = (batch * maps,)
        if joint:
            kernels.joint_kernel[grid](
                logits, points, confidence, kept, *logits.stride(), maps, height, width,
                EXTENT=extent, **tile(height, width), **FOUR_WARPS,
            )  # fmt: skip
        else:
            steps = _steps(kept, channels_last)
            kernels.sums_kernel[grid](
                logits, kept, *logits.stride(), *steps, maps, height, width,
                **tile(height, width), **FOUR_WARPS,
            )  # fmt: skip
            kernels.weights_kernel[grid](
                points, confidence, kept, *steps, maps, height, width,
                EXTENT=extent, SIDE=SIDE, **FOUR_WARPS,
            )  # fmt: skip
    return points, confidence, kept


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
    """The gradient of the logits; the same bytes on every call."""
    maps = kept.shape[2 if channels_last and not joint else 1]
    shape = (kept.shape[0], maps, height, width)
    form = torch.channels_last if channels_last else torch.contiguous_format
    out = torch.empty(shape, dtype=dtype, device=kept.device, memory_format=form)
    points = kept if grad_points is None else grad_points
    confidence = kept if grad_confidence is None else grad_confidence
    arriving = (*points.stride(), *confidence.stride()[:2])
    given = dict(POINTS=grad_points is not None, CONFIDENCE=grad_confidence is not None)
    with on_device_of("kept", kept):
        if out.numel() == 0:
            return out
        grid = (kept.shape[0] * maps,)
        if joint:
            assert logits is not None
            kernels.joint_backward_kernel[grid](
                points, confidence, logits, kept, out, *arriving, *logits.stride(), *out.stride(),
                maps, height, width, EXTENT=extent, **given, **tile(height, width), **FOUR_WARPS,
            )  # fmt: skip
        else:
            kernels.marginal_backward_kernel[grid](
                points, confidence, kept, out, *arriving, *out.stride(),
                *_steps(kept, channels_last), maps, height, width, EXTENT=extent, **given,
                **tile(height, width), SIDE=SIDE, **FOUR_WARPS,
            )  # fmt: skip
    return out
