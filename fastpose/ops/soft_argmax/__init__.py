"""Decode logit maps to points: the expected position under a softmax, and how sure it is."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from fastpose.ops import registry
from fastpose.ops.checks import check_choice, check_number, check_numel, check_tensor
from fastpose.ops.precision import wide_type
from fastpose.ops.soft_argmax import reference

MODES = ("marginal", "joint")
LONGEST_SIDE = 2**24  # columns and rows are kept as float32

_DECODING = (
    "bool joint, float extent, SymInt height, SymInt width, ScalarType dtype, bool channels_last"
)


def _fake(
    logits: Tensor,
    joint: bool,
    extent: float,
    height: int,
    width: int,
    dtype: torch.dtype,
    channels_last: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    batch, joints = logits.shape[:2]
    shape = (batch, joints, 6 if joint else width + height)
    if channels_last and not joint:
        shape = (batch, width + height, joints)
    result = wide_type(dtype)
    return (
        logits.new_empty((batch, joints, 2), dtype=result),
        logits.new_empty((batch, joints), dtype=result),
        logits.new_empty(shape, dtype=result),
    )


def _fake_backward(
    grad_points: Tensor | None,
    grad_confidence: Tensor | None,
    logits: Tensor | None,
    kept: Tensor,
    joint: bool,
    extent: float,
    height: int,
    width: int,
    dtype: torch.dtype,
    channels_last: bool,
) -> Tensor:
    joints = kept.shape[2 if channels_last and not joint else 1]
    form = torch.channels_last if channels_last else torch.contiguous_format
    shape = (kept.shape[0], joints, height, width)
    return torch.empty(shape, dtype=dtype, device=kept.device, memory_format=form)


def _unsaved(logits: Tensor, joint: bool, *_: Any) -> tuple[str, ...]:
    return () if joint else ("logits",)


OPERATOR = registry.register(
    "soft_argmax",
    forward=registry.Kernel(
        f"(Tensor logits, {_DECODING}) -> (Tensor points, Tensor confidence, Tensor kept)",
        reference.forward,
        _fake,
    ),
    backward=registry.Kernel(
        "(Tensor? grad_points, Tensor? grad_confidence, Tensor? logits, Tensor kept,"
        f" {_DECODING}) -> Tensor grad_logits",
        reference.backward,
        _fake_backward,
    ),
    unsaved=_unsaved,
)


def soft_argmax(
    logits: Tensor,
    *,
    mode: Literal["marginal", "joint"] = "marginal",
    extent: float = 1.0,
    backend: str | None = None,
) -> tuple[Tensor, Tensor]:
    """Decode each map of logits to its expected point, and say how sure that is.

    "marginal": the means over rows and over columns are softmaxed by themselves, and each side's
    weights give the expected coordinate; the confidence is the geometric mean of either side's
    largest weight. "joint": one softmax over the whole map; the confidence is its largest weight.
    The grid is corner aligned: its first column lies at x = -extent, its last at extent; rows alike
    for y; a side of 1 lies at 0. Computed in float32 (float64 for float64 logits), also under
    autocast. Differentiable once, in `logits`, through the points and the confidence (of equal
    largest weights the first one counts); results and gradients are the same bytes on every call
    and for any number of threads. Backward keeps no map in the marginal mode and none but `logits`
    in the joint one.

    Source: the landmark heads of IMM (Jakab et al., NeurIPS 2018) and KeypointGAN (Jakab et al.,
    CVPR 2020): their papers give the joint form, their published code is the marginal one.

    Args:
        logits: (B, K, H, W) float32, float64, bfloat16 or float16, any strides; channels-last ones
            get a channels-last gradient. -inf has weight 0; in the marginal mode so has its whole
            column and row. A map with a NaN or +inf, or without any weight, has a NaN point and
            confidence and its gradient is NaN; no other map is touched.
        mode: the softmax, see above.
        extent: half side of the grid, > 0, normalised; beyond 1 points may lie off the image.
        backend: owner that must serve ("reference", "cpu", "cuda", "triton"), for tests and
            benchmarks; None: the device's own. An exported graph always holds the reference.

    Returns:
        points (B, K, 2), (x, y), in [-extent, extent]; confidence (B, K) in (0, 1].

    Raises:
        TypeError, ValueError: an argument of the wrong kind, shape or range, by name.
    """
    height, width = _check_call(logits, mode, extent)
    stride = logits.stride()
    args = (
        logits,
        mode == "joint",
        float(extent),
        height,
        width,
        logits.dtype,
        stride[1] == 1 and stride[3] != 1,
    )
    if backend is None and torch.compiler.is_exporting():
        return reference.forward(*args)[:2]
    check_numel("logits", logits.shape)  # not of an export, whose batch may be of any size
    run = OPERATOR if backend is None else OPERATOR.using(backend)
    points, confidence, _ = run(*args)
    return points, confidence


def _check_call(logits: Any, mode: Any, extent: Any) -> tuple[int, int]:
    """H, W."""
    _, _, height, width = check_tensor("logits", logits, "(B, K, H, W)", narrow=True)
    if not (1 <= height <= LONGEST_SIDE and 1 <= width <= LONGEST_SIDE):
        raise ValueError(
            f"logits must have maps of 1 to {LONGEST_SIDE} rows and columns, got {(height, width)}"
        )
    if not isinstance(mode, str):
        raise TypeError(f"mode must be a string, got {type(mode).__name__}")
    check_choice("mode", mode, MODES)
    check_number("extent", extent)
    return height, width
