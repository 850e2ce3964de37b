"""`feature_distance` in Triton: for GPUs where the CUDA library is missing. Not yet run on a
GPU."""

# Triton's language does not type-check: what a kernel is called with is not what it receives.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

from __future__ import annotations

import torch
import triton
from torch import Tensor

from fastpose.ops.feature_distance import reference
from fastpose.ops.feature_distance import triton_kernels as kernels
from fastpose.ops.precision import wide_type
from fastpose.ops.triton import FOUR_WARPS, on_device_of

CHUNK = 16384
# Numbers at once, by kernel; of the finish kernel, chunks of each layer.
BLOCK = {"weights": 256, "forward": 1024, "finish": 128, "backward": 1024}


def _weights(mask: Tensor, feature: Tensor) -> Tensor:
    """The mask (B, 1, rows, columns) at the size of a layer."""
    batch, _, height, width = feature.shape
    rows, columns = mask.shape[2:]
    if (rows, columns) == (height, width):
        return mask
    weights = mask.new_empty((batch, height, width))
    count = weights.numel()
    kernels.weights_kernel[(triton.cdiv(count, BLOCK["weights"]),)](
        mask, weights, rows, columns, height, width, count,
        triton.cdiv(rows, height) + 1, triton.cdiv(columns, width) + 1,
        BLOCK=BLOCK["weights"], **FOUR_WARPS,
    )  # fmt: skip
    return weights


def forward(
    features: list[Tensor],
    targets: list[Tensor],
    mask: Tensor | None,
    running_mean: Tensor | None,
    started: Tensor | None,
    gradients: list[Tensor],
    norm: int,
    momentum: float,
    update: bool,
    through_mean: bool,
) -> tuple[Tensor, Tensor]:
    """(loss, scale of each layer); fills those `gradients` that are not empty.

    One launch for each layer, one more for its weights, and one that adds up.
    """
    like, layers = features[0], len(features)
    wide = wide_type(like.dtype)
    loss, scale = like.new_zeros((), dtype=wide), like.new_ones(layers, dtype=wide)
    with on_device_of("features[0]", like):
        if like.shape[0] == 0:
            return loss, scale
        most = max(triton.cdiv(x.numel(), CHUNK) for x in features)
        partial = like.new_zeros((layers, most), dtype=torch.float64)
        slope_of = torch.empty_like(scale)
        known = 0
        for i, (x, y, gradient) in enumerate(zip(features, targets, gradients, strict=True)):
            weights = None if mask is None else _weights(mask, x)
            is_known = not update and x.dtype != torch.float16
            known |= int(is_known) << i
            kernels.forward_kernel[(triton.cdiv(x.numel(), CHUNK),)](
                x, y, gradient, weights, running_mean, scale, slope_of, partial,
                i, layers, x.numel(), x.shape[1], x.shape[2] * x.shape[3], most,
                NORM=norm, WEIGHTED=mask is not None, CHANNELS_LAST=not x.is_contiguous(),
                WANTED=gradient.numel() > 0, KNOWN=is_known, HAS_MEAN=running_mean is not None,
                EPS=reference.EPS, CHUNK=CHUNK, BLOCK=BLOCK["forward"], **FOUR_WARPS,
            )  # fmt: skip
        kernels.finish_kernel[(1,)](
            partial, slope_of, running_mean, None if started is None else started.view(torch.uint8),
            known, loss, scale, layers, most,
            MOMENTUM=momentum, HAS_MEAN=running_mean is not None, HAS_FLAG=started is not None,
            UPDATE=update, THROUGH_MEAN=through_mean, EPS=reference.EPS,
            LAYERS=triton.next_power_of_2(layers), BLOCK=BLOCK["finish"], **FOUR_WARPS,
        )  # fmt: skip
    return loss, scale


def backward(grad_loss: Tensor, scale: Tensor, gradients: list[Tensor]) -> None:
    """Multiply the gradients that the forward has formed by what it could not know."""
    with on_device_of("scale", scale):
        for i, gradient in enumerate(gradients):
            if gradient.numel() > 0:
                kernels.backward_kernel[(triton.cdiv(gradient.numel(), CHUNK),)](
                    gradient, grad_loss, scale, i, gradient.numel(),
                    CHUNK=CHUNK, BLOCK=BLOCK["backward"], **FOUR_WARPS,
                )  # fmt: skip
