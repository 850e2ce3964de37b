"""Reference of `structural_similarity`: the formula in plain PyTorch, for every device and tests.

With means m, variances v and the covariance c of the two images in a window around a pixel,

    S = (2 m_x m_y + c1) (2 c + c2) / ((m_x^2 + m_y^2 + c1) (v_x + v_y + c2)),

c1 = (0.01 L)^2, c2 = (0.03 L)^2, L the data range. Source: Wang, Bovik, Sheikh, Simoncelli, "Image
quality assessment: from error visibility to structural similarity", 2004, equation 13. Only windows
that lie wholly inside the image count.
"""

from __future__ import annotations

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from fastpose.ops.precision import wide_type

GAUSSIAN, UNIFORM = 0, 1
SIDE = {GAUSSIAN: 11, UNIFORM: 7}
SIGMA = 1.5
K1, K2 = 0.01, 0.03


@cache
def taps_of(window: int) -> tuple[float, ...]:
    """The window along one axis; its outer product with itself sums to 1."""
    side = SIDE[window]
    if window == UNIFORM:
        return (1 / side,) * side
    weights = [math.exp(-0.5 * ((i - side // 2) / SIGMA) ** 2) for i in range(side)]
    return tuple([w / sum(weights) for w in weights])


def windowed(image: Tensor, window: int) -> Tensor:
    """Weighted means over all windows that lie inside: (B, C, H - side + 1, W - side + 1)."""
    for axis in (-2, -1):
        places = image.shape[axis] - SIDE[window] + 1
        image = torch.stack(
            [tap * image.narrow(axis, i, places) for i, tap in enumerate(taps_of(window))]
        ).sum(0)
    return image


def spread(maps: Tensor, window: int) -> Tensor:
    """The adjoint of `windowed`: every window hands its value to its pixels."""
    return windowed(F.pad(maps, [SIDE[window] - 1] * 4), window)


def forward(
    x: Tensor,
    y: Tensor,
    window: int,
    data_range: float,
    sample_covariance: bool,
    slope_of_x: bool,
    slope_of_y: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """The similarity (B,) and, where asked for, L times the gradient of its sum over all windows.

    The slopes are of the type of the images and empty where they are not asked for.
    """
    dtype = wide_type(x.dtype)
    a, b = x.to(dtype), y.to(dtype)
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    pixels = SIDE[window] ** 2
    norm = pixels / (pixels - 1) if sample_covariance else 1.0
    mean_a, mean_b = windowed(a, window), windowed(b, window)
    variances = norm * (windowed(a * a + b * b, window) - mean_a.square() - mean_b.square())
    covariance = norm * (windowed(a * b, window) - mean_a * mean_b)
    luminance, brightness = 2 * mean_a * mean_b + c1, mean_a.square() + mean_b.square() + c1
    structure, contrast = 2 * covariance + c2, variances + c2
    similarity = luminance * structure / (brightness * contrast)

    # Derivatives by brightness, luminance, contrast and structure; then by the windowed sums.
    by_brightness = -similarity / brightness
    by_luminance = structure / (brightness * contrast)
    by_squares = norm * -similarity / contrast
    by_product = 2 * norm * luminance / (brightness * contrast)

    def slope(own: Tensor, own_mean: Tensor, other: Tensor, other_mean: Tensor) -> Tensor:
        by_mean = 2 * own_mean * (by_brightness - by_squares)
        by_mean += other_mean * (2 * by_luminance - by_product)
        sums = spread(by_mean, window) + other * spread(by_product, window)
        sums += 2 * own * spread(by_squares, window)
        return torch.empty_like(x).copy_(sums * data_range)

    return (
        similarity.mean((1, 2, 3)),
        slope(a, mean_a, b, mean_b) if slope_of_x else x.new_empty(0),
        slope(b, mean_b, a, mean_a) if slope_of_y else y.new_empty(0),
    )


def backward(
    grad_output: Tensor,
    slope_x: Tensor,
    slope_y: Tensor,
    window: int,
    data_range: float,
    needs_x: bool,
    needs_y: bool,
) -> tuple[Tensor, Tensor]:
    def gradient(slope: Tensor, needed: bool) -> Tensor:
        if not needed:
            return slope.new_empty(0)
        _, channels, height, width = slope.shape
        reach = SIDE[window] - 1
        windows = channels * (height - reach) * (width - reach)
        share = grad_output / (data_range * windows)
        return (slope * share[:, None, None, None]).to(slope.dtype)

    return gradient(slope_x, needs_x), gradient(slope_y, needs_y)
