"""`gaussian_kl` in Triton."""

# Triton's language does not type-check: what a kernel is called with is not what it receives.
# pyright: reportArgumentType=false, reportCallIssue=false

from __future__ import annotations

import triton
from torch import Tensor

from fastpose.ops.pose_losses import triton_kernels as kernels
from fastpose.ops.precision import wide_type
from fastpose.ops.triton import FOUR_WARPS, on_device_of

ROWS, BLOCK = 32, 64  # of a tile


def forward(mean: Tensor, log_variance: Tensor, free_bits: float) -> tuple[Tensor, Tensor]:
    """The divergence and, with free bits, the mean over the batch of each coordinate's, (D,)."""
    (batch, size), wide = mean.shape, wide_type(mean.dtype)
    coordinates = size if free_bits > 0 else 0
    with on_device_of("mean", mean):
        if batch == 0:
            return mean.new_zeros((), dtype=wide), mean.new_zeros(coordinates, dtype=wide)
        loss = mean.new_empty((), dtype=wide)
        each = mean.new_empty(coordinates, dtype=wide)
        kernels.divergence_kernel[(1,)](
            mean.contiguous(), log_variance.contiguous(), loss, each, batch, size,
            FREE_BITS=free_bits, ROWS=ROWS, BLOCK=BLOCK, **FOUR_WARPS,
        )  # fmt: skip
    return loss, each


def backward(
    grad_output: Tensor,
    mean: Tensor,
    log_variance: Tensor,
    coordinates: Tensor,
    free_bits: float,
    needs_mean: bool,
    needs_log_variance: bool,
) -> tuple[Tensor, Tensor]:
    """The gradients that are wanted."""
    wanted = (needs_mean, needs_log_variance)
    grads = [mean.new_empty(mean.shape if want else 0) for want in wanted]
    with on_device_of("mean", mean):
        if mean.numel() > 0:
            batch, size = mean.shape
            kernels.divergence_backward_kernel[(batch, triton.cdiv(size, BLOCK))](
                mean.contiguous(), log_variance.contiguous(), coordinates, grad_output, *grads,
                batch, size, FREE_BITS=free_bits, WANT_MEAN=needs_mean,
                WANT_LOG_VARIANCE=needs_log_variance, BLOCK=BLOCK, **FOUR_WARPS,
            )  # fmt: skip
    return grads[0], grads[1]
