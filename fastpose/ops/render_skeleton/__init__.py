"""Draw skeletons: per channel the fall-off of the distance to the nearest limb."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from fastpose.ops import registry
from fastpose.ops.checks import (
    check_choice,
    check_number,
    check_numel,
    check_out,
    check_result_type,
    check_size,
    check_tensor,
)
from fastpose.ops.render_skeleton import reference
from fastpose.ops.render_skeleton.plan import plan_for

Ends = int | Sequence[int]
Limbs = Sequence[tuple[Ends, Ends]] | Sequence[Sequence[Ends]] | Tensor

PROFILES = {"exponential": reference.EXPONENTIAL, "gaussian": reference.GAUSSIAN}
SMALLEST_EPS = 1e-12

_DRAWING = "Tensor points, Tensor plan, Tensor? widths, int limbs, int channels"
_FALL_OFF = "float sharpness, int profile, float eps"


def _fake(
    points: Tensor,
    plan: Tensor,
    widths: Tensor | None,
    limbs: int,
    channels: int,
    height: int,
    width: int,
    sharpness: float,
    profile: int,
    eps: float,
    dtype: torch.dtype,
) -> Tensor:
    return points.new_empty((points.shape[0], channels, height, width), dtype=dtype)


def _fake_backward(grad_output: Tensor, points: Tensor, *_: Any) -> Tensor:
    return points.new_empty(points.shape)


OPERATOR = registry.register(
    "render_skeleton",
    forward=registry.Kernel(
        f"({_DRAWING}, SymInt height, SymInt width, {_FALL_OFF}, ScalarType dtype) -> Tensor",
        reference.forward,
        _fake,
    ),
    backward=registry.Kernel(
        f"(Tensor grad_output, Tensor points, Tensor plan, Tensor? widths, int limbs, {_FALL_OFF})"
        " -> Tensor grad_points",
        reference.backward,
        _fake_backward,
    ),
    into=registry.Kernel(f"({_DRAWING}, {_FALL_OFF}, Tensor(a!) out) -> ()", reference.into),
)


def render_skeleton(
    points: Tensor,
    limbs: Limbs,
    size: int | tuple[int, int],
    *,
    sharpness: float = 25.0,
    profile: Literal["exponential", "gaussian"] = "exponential",
    channels: Sequence[int] | Tensor | None = None,
    widths: Sequence[float] | Tensor | None = None,
    eps: float = 1e-6,
    dtype: torch.dtype | None = None,
    out: Tensor | None = None,
    backend: str | None = None,
) -> Tensor:
    """Draw limbs between points: I = max over a channel's limbs of f(distance to the limb).

    With d the distance in normalised units, f is ``exp(-sharpness * sqrt(d^2 + eps))`` for the
    profile "exponential" and ``exp(-sharpness * d^2)`` for "gaussian". Differentiable once, in
    `points`; results and gradients are the same bytes on every call and for any number of threads.

    Source: KeypointGAN's renderer (Jakab et al., CVPR 2020, published code), "exponential" with
    sharpness 25, single channel; its models use ``2 * I - 1``.

    Args:
        points: (B, K, 2) float32 or float64, normalised, (x, y). Any value is allowed, off the
            image too. A joint that is not finite (or so far out that its squared distance
            overflows) makes every pixel of the channels that draw it NaN, in its own image, and
            gets NaN gradients itself; nothing else is touched.
        limbs: E pairs of ends, 1 <= E <= 512: a sequence of pairs or a CPU integer tensor (E, 2).
            An end is a joint index or a sequence of them, which stands for their mean. Static:
            checked once and cached. Inside `torch.compile` give a sequence.
        size: side of the square image, or (H, W); pixels, at least 1.
        sharpness: g above, > 0, per normalised unit (exponential) or its square (gaussian).
        profile: the fall-off, see above.
        channels: (E,) output channel of each limb, in 0 .. 511; None draws all into channel 0. C
            is the largest plus one, and a channel without limbs is 0.
        widths: (E,) full width of each limb in normalised units, >= 0: the limb is a rectangle
            (it does not grow in length), inside of which the distance is 0. None draws lines.
        eps: keeps the root's gradient finite; at least 1e-12. Unused by "gaussian".
        dtype: of the result: float32, float64, bfloat16 or float16; None: that of `points`.
        out: (B, C, H, W) tensor to write into, of one of those dtypes and any strides that do not
            overlap, such as a channel slice of a larger channels-last buffer. Gradients flow
            through the written part.
        backend: owner that must serve ("reference", "cpu", "cuda", "triton"), for tests and
            benchmarks; None: the device's own.

    Returns:
        (B, C, H, W) in [0, 1], contiguous; or `out`.

    Raises:
        TypeError, ValueError: an argument of the wrong kind, shape, range or device, by name.
    """
    batch, joints, height, width = _check_call(points, size, sharpness, profile, eps)
    plan = plan_for(limbs, channels, widths, points.device)
    if plan.joints > joints:
        raise ValueError(f"limbs name joint {plan.joints - 1}, but points have {joints} joints")
    drawing = (points, plan.packed, plan.widths, plan.limbs, plan.channels)
    fall_off = (float(sharpness), PROFILES[profile], float(eps))
    shape = (batch, plan.channels, height, width)
    check_numel("size", shape)
    if out is not None:
        check_out(out, "points", points.device, shape, dtype)
        return OPERATOR.write(out, *drawing, height, width, *fall_off, out.dtype, backend=backend)
    check_result_type(dtype)
    run = OPERATOR if backend is None else OPERATOR.using(backend)
    return run(*drawing, height, width, *fall_off, dtype or points.dtype)


def _check_call(
    points: Any, size: Any, sharpness: Any, profile: Any, eps: Any
) -> tuple[int, int, int, int]:
    """B, K, H, W."""
    batch, joints, _ = check_tensor("points", points, "(B, K, 2)")
    height, width = check_size(size)
    check_choice("profile", profile, PROFILES)
    check_number("sharpness", sharpness)
    check_number("eps", eps, SMALLEST_EPS)
    return batch, joints, height, width
