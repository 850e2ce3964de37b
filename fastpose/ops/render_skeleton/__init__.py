"""Draw skeletons: per channel the fall-off of the distance to the nearest limb."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from fastpose.ops import registry
from fastpose.ops.render_skeleton import reference
from fastpose.ops.render_skeleton.plan import plan_for

Ends = int | Sequence[int]
Limbs = Sequence[tuple[Ends, Ends]] | Sequence[Sequence[Ends]] | Tensor

PROFILES = {"exponential": reference.EXPONENTIAL, "gaussian": reference.GAUSSIAN}
OUTPUT_DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
SMALLEST_EPS = 1e-12
_OUTPUT_NAMES = "float32, float64, bfloat16, float16"

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

    Source: KeypointGAN's renderer (`specs/keypointgan_imm_cyclegan.md` 3.1), "exponential" with
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
    height, width = _check_call(points, size, sharpness, profile, eps)
    plan = plan_for(limbs, channels, widths, points.device)
    if plan.joints > points.shape[1]:
        raise ValueError(
            f"limbs name joint {plan.joints - 1}, but points have {points.shape[1]} joints"
        )
    drawing = (points, plan.packed, plan.widths, plan.limbs, plan.channels)
    fall_off = (float(sharpness), PROFILES[profile], float(eps))
    shape = (points.shape[0], plan.channels, height, width)
    if shape[0] * shape[1] * height * width >= 2**31:
        raise ValueError(f"size gives a result of shape {shape}; expected fewer than 2^31 elements")
    if out is not None:
        _check_out(out, points, shape, dtype)
        return _RenderInto.apply(out, backend, *drawing, *fall_off)
    if dtype is None:
        dtype = points.dtype
    elif dtype not in OUTPUT_DTYPES:
        raise TypeError(f"dtype must be one of {_OUTPUT_NAMES}, got {dtype}")
    run = OPERATOR if backend is None else OPERATOR.using(backend)
    return run(*drawing, height, width, *fall_off, dtype)


class _RenderInto(torch.autograd.Function):
    """Drawing into a given tensor. What `out` held before is lost, so its gradient is 0."""

    @staticmethod
    def forward(ctx: Any, out: Tensor, backend: str | None, *args: Any) -> Tensor:
        write = OPERATOR.overload("into") if backend is None else OPERATOR.using(backend, "into")
        write(*args, out)
        points, packed, widths, limbs, _, *fall_off = args
        ctx.mark_dirty(out)
        ctx.save_for_backward(points, packed, widths)
        ctx.constants = (backend, limbs, fall_off)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> Any:
        backend, limbs, fall_off = ctx.constants
        role = "backward"
        run = OPERATOR.overload(role) if backend is None else OPERATOR.using(backend, role)
        grad_points = run(grad_output, *ctx.saved_tensors, limbs, *fall_off)
        # Not None: where `out` is a part of a buffer, torch would drop the buffer's gradient.
        grad_out = torch.zeros_like(grad_output) if ctx.needs_input_grad[0] else None
        return grad_out, None, grad_points, *(None,) * 7


def _check_call(points: Any, size: Any, sharpness: Any, profile: Any, eps: Any) -> tuple[int, int]:
    if not isinstance(points, Tensor):
        raise TypeError(f"points must be a tensor (B, K, 2), got {type(points).__name__}")
    if points.dtype not in (torch.float32, torch.float64):
        raise TypeError(f"points must be float32 or float64, got {points.dtype}")
    if points.ndim != 3 or points.shape[2] != 2:
        raise ValueError(f"points must have shape (B, K, 2), got {tuple(points.shape)}")
    sides: Any = size if isinstance(size, (tuple, list)) and len(size) == 2 else (size, size)
    for side in sides:
        if isinstance(side, bool) or not isinstance(side, (int, torch.SymInt)):
            raise TypeError(f"size must be an integer or a pair (H, W) of them, got {size!r}")
        if side < 1:
            raise ValueError(f"size must be at least 1 pixel, got {size!r}")
    if not isinstance(profile, str) or profile not in PROFILES:
        raise ValueError(f"profile must be one of {', '.join(PROFILES)}, got {profile!r}")
    for name, value, least in (("sharpness", sharpness, 0.0), ("eps", eps, SMALLEST_EPS)):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"{name} must be a number, got {type(value).__name__}")
        if not (least <= value < math.inf) or value == 0:
            bound = f"at least {least:g}" if least else "greater than 0"
            raise ValueError(f"{name} must be finite and {bound}, got {value}")
    return sides[0], sides[1]


def _check_out(out: Any, points: Tensor, shape: tuple[int, ...], dtype: torch.dtype | None) -> None:
    if not isinstance(out, Tensor):
        raise TypeError(f"out must be a tensor, got {type(out).__name__}")
    if out.dtype not in OUTPUT_DTYPES:
        raise TypeError(f"out must be one of {_OUTPUT_NAMES}, got {out.dtype}")
    if dtype is not None and dtype != out.dtype:
        raise TypeError(f"dtype is {dtype}, but out is {out.dtype}; give only one of the two")
    if tuple(out.shape) != shape:
        raise ValueError(f"out must have shape {shape}, got {tuple(out.shape)}")
    if out.device != points.device:
        raise ValueError(f"out must be on the device of points ({points.device}), got {out.device}")
    if any(n > 1 and step == 0 for n, step in zip(out.shape, out.stride(), strict=True)):
        raise ValueError(f"out must not overlap itself, got strides {out.stride()}")
    if out.is_leaf and out.requires_grad and torch.is_grad_enabled():
        raise ValueError("out must not be a leaf that requires grad: it is written in place")
