"""`anchor_loss` in Triton."""

from __future__ import annotations

from torch import Tensor

from fastpose.ops.pose_losses.reference import anchor_denominator
from fastpose.ops.pose_losses.triton.launch import PAIR, gradients_of, loss_of
from fastpose.ops.triton import on_device_of


def forward(a: Tensor, b: Tensor, code_form: bool) -> Tensor:
    with on_device_of("a", a):
        return loss_of(PAIR, [a], [anchor_denominator(a.shape, code_form)], b=b)


def backward(
    grad_output: Tensor, a: Tensor, b: Tensor, code_form: bool, needs_a: bool, needs_b: bool
) -> tuple[Tensor, Tensor]:
    with on_device_of("a", a):
        denominator = anchor_denominator(a.shape, code_form)
        return gradients_of(PAIR, grad_output, a, denominator, b=b, wanted=(needs_a, needs_b))
