"""Launches that the losses share."""

# Triton's language does not type-check: what a kernel is called with is not what it receives.
# pyright: reportArgumentType=false, reportCallIssue=false

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
from torch import Tensor

from fastpose.ops.pose_losses import triton_kernels as kernels
from fastpose.ops.precision import wide_type
from fastpose.ops.triton import FOUR_WARPS

BLOCK = 1024
DIFFERENCE, PAIR, OUTSIDE = (t.value for t in (kernels.DIFFERENCE, kernels.PAIR, kernels.OUTSIDE))


def loss_of(
    term: int,
    arrays: Sequence[Tensor],
    denominators: Sequence[int],
    constant: float = 0.0,
    b: Tensor | None = None,
) -> Tensor:
    """The sum over arrays of the sum of their numbers' terms, divided by what belongs to each."""
    loss = arrays[0].new_empty((), dtype=wide_type(arrays[0].dtype))
    total = arrays[0].new_empty((), dtype=torch.float64)
    last = len(arrays) - 1
    for i, (array, denominator) in enumerate(zip(arrays, denominators, strict=True)):
        numbers = array.contiguous()
        kernels.sum_kernel[(1,)](
            numbers, numbers if b is None else b.contiguous(), total, loss, numbers.numel(),
            denominator, TERM=term, C=constant, FIRST=i == 0, LAST=i == last,
            BLOCK=BLOCK, **FOUR_WARPS,
        )  # fmt: skip
    return loss


def gradients_of(
    term: int,
    grad_loss: Tensor,
    array: Tensor,
    denominator: int,
    constant: float = 0.0,
    b: Tensor | None = None,
    wanted: tuple[bool, bool] = (True, False),
) -> tuple[Tensor, Tensor]:
    """By the numbers of one array and those of `b`; empty where they are not wanted."""
    grads = [array.new_empty(array.shape if want else 0) for want in wanted]
    numbers = array.contiguous()
    if numbers.numel() > 0:
        kernels.backward_kernel[(triton.cdiv(numbers.numel(), BLOCK),)](
            numbers, numbers if b is None else b.contiguous(), grad_loss, *grads, numbers.numel(),
            denominator, TERM=term, C=constant, WANT_A=wanted[0], WANT_B=wanted[1],
            BLOCK=BLOCK, **FOUR_WARPS,
        )  # fmt: skip
    return grads[0], grads[1]
