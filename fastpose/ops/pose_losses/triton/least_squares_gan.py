"""`least_squares_gan` in Triton: a launch for each scale."""

from __future__ import annotations

from torch import Tensor

from fastpose.ops.pose_losses.reference import score_denominators
from fastpose.ops.pose_losses.triton.launch import DIFFERENCE, gradients_of, loss_of
from fastpose.ops.triton import on_device_of


def forward(scores: list[Tensor], target: float) -> Tensor:
    with on_device_of("scores", scores[0]):
        return loss_of(DIFFERENCE, scores, score_denominators(scores), target)


def backward(grad_output: Tensor, scores: list[Tensor], target: float) -> list[Tensor]:
    with on_device_of("scores", scores[0]):
        return [
            gradients_of(DIFFERENCE, grad_output, each, denominator, target)[0]
            for each, denominator in zip(scores, score_denominators(scores), strict=True)
        ]
