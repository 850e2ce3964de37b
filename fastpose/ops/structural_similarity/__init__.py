"""Structural similarity (SSIM) of pictures, and its gradient."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from fastpose.ops import registry
from fastpose.ops.checks import (
    check_choice,
    check_like,
    check_number,
    check_numel,
    check_same_shape,
    check_tensor,
)
from fastpose.ops.precision import wide_type
from fastpose.ops.structural_similarity import reference

WINDOWS = {"gaussian": reference.GAUSSIAN, "uniform": reference.UNIFORM}
SMALLEST_RANGE = 1e-12


def _fake(
    x: Tensor,
    y: Tensor,
    window: int,
    data_range: float,
    sample_covariance: bool,
    slope_of_x: bool,
    slope_of_y: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    dtype = wide_type(x.dtype)
    return (
        x.new_empty(x.shape[0], dtype=dtype),
        torch.empty_like(x) if slope_of_x else x.new_empty(0),
        torch.empty_like(y) if slope_of_y else y.new_empty(0),
    )


def _fake_backward(
    grad_output: Tensor,
    slope_x: Tensor,
    slope_y: Tensor,
    window: int,
    data_range: float,
    needs_x: bool,
    needs_y: bool,
) -> tuple[Tensor, Tensor]:
    return (
        torch.empty_like(slope_x) if needs_x else slope_x.new_empty(0),
        torch.empty_like(slope_y) if needs_y else slope_y.new_empty(0),
    )


# The gradient is formed in the forward, which has all that it takes at hand; what is kept for the
# backward is as large as the image that it is for, and no window is summed up again.
OPERATOR = registry.register(
    "structural_similarity",
    forward=registry.Kernel(
        "(Tensor x, Tensor y, int window, float data_range, bool sample_covariance, "
        "bool slope_of_x, bool slope_of_y) -> (Tensor output, Tensor slope_x, Tensor slope_y)",
        reference.forward,
        _fake,
    ),
    backward=registry.Kernel(
        "(Tensor grad_output, Tensor slope_x, Tensor slope_y, int window, float data_range, "
        "bool needs_x, bool needs_y) -> (Tensor grad_x, Tensor grad_y)",
        reference.backward,
        _fake_backward,
    ),
)


def structural_similarity(
    x: Tensor,
    y: Tensor,
    *,
    window: Literal["gaussian", "uniform"] = "gaussian",
    data_range: float = 1.0,
    use_sample_covariance: bool | None = None,
    backend: str | None = None,
) -> Tensor:
    """SSIM of each pair of images, the mean over channels and over all windows inside the image.

    With means m, variances v and covariance c in a window,
    ``S = (2 m_x m_y + c1) (2 c + c2) / ((m_x^2 + m_y^2 + c1) (v_x + v_y + c2))``, c1 =
    (0.01 data_range)^2, c2 = (0.03 data_range)^2. Differentiable once, in both images; results and
    gradients are the same bytes on every call and for any number of threads.

    Windows that reach over the border do not count, which is what scikit-image does, so that the
    value is that of ``skimage.metrics.structural_similarity`` with ``channel_axis=0`` and the same
    ``data_range``: "uniform" of its defaults, "gaussian" of ``gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False``. As a loss take ``1 - structural_similarity(x, y)``.

    Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to
    structural similarity", 2004, equation 13.

    Args:
        x: (B, C, H, W) float32, float64, bfloat16 or float16 with any strides; sums are formed in
            float32, or float64 for float64. C is at least 1; H and W at least the window's side. A
            pixel that is not finite, or whose square overflows, makes the image's value NaN, and
            NaN gradients as far as its windows reach.
        y: (B, C, H, W) of the same type.
        window: "gaussian", 11 x 11 with a standard deviation of 1.5 pixels, or "uniform", 7 x 7.
        data_range: from the least value a pixel can have to the greatest: 1 for [0, 1], 2 for
            [-1, 1], 255 for whole numbers of 8 bits; at least 1e-12.
        use_sample_covariance: variances and covariance are divided by N - 1 instead of N, N the
            pixels of a window. None: only with "uniform".
        backend: owner that must serve ("reference", "cpu", "cuda", "triton"), for tests and
            benchmarks; None: the device's own.

    Returns:
        (B,) float32, or float64 for float64 images; 1 where the images are equal, at most 1.

    Raises:
        TypeError, ValueError: an argument of the wrong kind, shape, range or device, by name.
    """
    kind = _check_call(x, y, window, data_range, use_sample_covariance)
    if use_sample_covariance is None:
        use_sample_covariance = window == "uniform"
    tracked = torch.is_grad_enabled()
    slopes = (tracked and x.requires_grad, tracked and y.requires_grad)
    run = OPERATOR if backend is None else OPERATOR.using(backend)
    return run(x, y, kind, float(data_range), use_sample_covariance, *slopes)[0]


def _check_call(x: Any, y: Any, window: Any, data_range: Any, covariance: Any) -> int:
    check_tensor("x", x, "(B, C, H, W)", narrow=True)
    check_tensor("y", y, "(B, C, H, W)", narrow=True)
    check_like("y", y, "x", x)
    check_same_shape("y", y, "x", x)
    check_choice("window", window, WINDOWS)
    check_number("data_range", data_range, SMALLEST_RANGE)
    if covariance is not None and not isinstance(covariance, bool):
        raise TypeError(f"use_sample_covariance must be True, False or None, got {covariance!r}")
    side = reference.SIDE[WINDOWS[window]]
    if x.shape[1] < 1:
        raise ValueError(f"x must have at least one channel, got shape {tuple(x.shape)}")
    if min(x.shape[2:]) < side:
        raise ValueError(
            f"x must be at least {side} pixels high and wide for the window {window!r}, "
            f"got shape {tuple(x.shape)}"
        )
    check_numel("x", tuple(x.shape))
    return WINDOWS[window]
