"""`boundary_loss` in Triton."""

from __future__ import annotations

from torch import Tensor

from fastpose.ops.pose_losses.reference import COMPONENTS
from fastpose.ops.pose_losses.triton.launch import OUTSIDE, gradients_of, loss_of
from fastpose.ops.triton import on_device_of


def _denominator(points: Tensor, code_form: bool) -> int:
    return max(points.shape[0] * (COMPONENTS if code_form else 1), 1)


def forward(points: Tensor, bound: float, code_form: bool) -> Tensor:
    with on_device_of("points", points):
        return loss_of(OUTSIDE, [points], [_denominator(points, code_form)], bound)


def backward(grad_output: Tensor, points: Tensor, bound: float, code_form: bool) -> Tensor:
    with on_device_of("points", points):
        denominator = _denominator(points, code_form)
        return gradients_of(OUTSIDE, grad_output, points, denominator, bound)[0]
