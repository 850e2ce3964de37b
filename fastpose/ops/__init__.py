"""Differentiable drawing, decoding and loss operators, each with a hand-written backward.

Points are normalised, (x, y), corner aligned: -1 is the centre of the first pixel, 1 the centre of
the last. Images are (B, C, H, W) in [0, 1].
"""

from fastpose import _native
from fastpose.ops.feature_distance import feature_distance
from fastpose.ops.pose_losses import (
    anchor_loss,
    boundary_loss,
    gaussian_kl,
    least_squares_gan,
)
from fastpose.ops.render_gaussians import render_gaussians
from fastpose.ops.render_skeleton import render_skeleton
from fastpose.ops.soft_argmax import soft_argmax
from fastpose.ops.structural_similarity import structural_similarity
from fastpose.ops.warp_templates import warp_templates

_native.load()

__all__ = [
    "anchor_loss",
    "boundary_loss",
    "feature_distance",
    "gaussian_kl",
    "least_squares_gan",
    "render_gaussians",
    "render_skeleton",
    "soft_argmax",
    "structural_similarity",
    "warp_templates",
]
