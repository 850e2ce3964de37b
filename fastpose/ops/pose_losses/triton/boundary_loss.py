"""`boundary_loss` in Triton."""

from __future__ import annotations

from torch import Tensor

from fastpose.ops.pose_losses.reference import boundary_denominator
from fastpose.ops.pose_losses.triton.launch import OUTSIDE, gradients_of, loss_of
from fastpose.ops.triton import on_device_of


def forward(points: Tensor, bound: float, code_form: bool) -> Tensor:
    with on_device_of("points", points):
        return loss_of(OUTSIDE, [points], [boundary_denominator(points.shape, code_form)], bound)


def backward(grad_output: Tensor, points: Tensor, bound: float, code_form: bool) -> Tensor:
    with on_device_of("points", points):
        denominator = boundary_denominator(points.shape, code_form)
        return gradients_of(OUTSIDE, grad_output, points, denominator, bound)[0]
