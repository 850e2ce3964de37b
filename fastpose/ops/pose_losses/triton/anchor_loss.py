"""`anchor_loss` in Triton."""

from __future__ import annotations

from torch import Tensor

from fastpose.ops.pose_losses.reference import COMPONENTS
from fastpose.ops.pose_losses.triton.launch import PAIR, gradients_of, loss_of
from fastpose.ops.triton import on_device_of


def _denominator(a: Tensor, code_form: bool) -> int:
    batch, pairs = a.shape[:2]
    return max(batch * (COMPONENTS if code_form else pairs), 1)


def forward(a: Tensor, b: Tensor, code_form: bool) -> Tensor:
    with on_device_of("a", a):
        return loss_of(PAIR, [a], [_denominator(a, code_form)], b=b)


def backward(
    grad_output: Tensor, a: Tensor, b: Tensor, code_form: bool, needs_a: bool, needs_b: bool
) -> tuple[Tensor, Tensor]:
    with on_device_of("a", a):
        return gradients_of(
            PAIR, grad_output, a, _denominator(a, code_form), b=b, wanted=(needs_a, needs_b)
        )
