"""Losses on the anchors of a shape template's parts: hold together, and stay on the image."""

from __future__ import annotations

from typing import Any, Literal

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
from fastpose.ops.pose_losses import reference
from fastpose.ops.precision import wide_type

FORMS = ("paper", "code")


def _fake_loss(tensor: Tensor, *_: Any) -> Tensor:
    return tensor.new_empty((), dtype=wide_type(tensor.dtype))


def _fake_anchor_backward(
    grad_output: Tensor, a: Tensor, b: Tensor, code_form: bool, needs_a: bool, needs_b: bool
) -> tuple[Tensor, Tensor]:
    return (
        a.new_empty(a.shape if needs_a else 0),
        b.new_empty(b.shape if needs_b else 0),
    )


def _fake_boundary_backward(grad_output: Tensor, points: Tensor, *_: Any) -> Tensor:
    return points.new_empty(points.shape)


ANCHOR = registry.register(
    "anchor_loss",
    room="pose_losses",
    forward=registry.Kernel(
        "(Tensor a, Tensor b, bool code_form) -> Tensor", reference.anchor_forward, _fake_loss
    ),
    backward=registry.Kernel(
        "(Tensor grad_output, Tensor a, Tensor b, bool code_form, bool needs_a, bool needs_b)"
        " -> (Tensor grad_a, Tensor grad_b)",
        reference.anchor_backward,
        _fake_anchor_backward,
    ),
)

BOUNDARY = registry.register(
    "boundary_loss",
    room="pose_losses",
    forward=registry.Kernel(
        "(Tensor points, float bound, bool code_form) -> Tensor",
        reference.boundary_forward,
        _fake_loss,
    ),
    backward=registry.Kernel(
        "(Tensor grad_output, Tensor points, float bound, bool code_form) -> Tensor grad_points",
        reference.boundary_backward,
        _fake_boundary_backward,
    ),
)


def anchor_loss(
    a: Tensor,
    b: Tensor,
    *,
    form: Literal["paper", "code"] = "paper",
    backend: str | None = None,
) -> Tensor:
    """Squared distance of points that belong together: where two parts of a body are joined.

    "paper": ``mean over batch and pairs of |a - b|^2``. "code": as the published code computes it,
    the sum over pairs of the mean over the batch and the three components of homogeneous points, of
    which the last never differs: M / 3 times the other. There the coordinates are fractions of the
    image's side; normalised ones are about twice as far apart. Differentiable once, in both;
    results and gradients are the same bytes on every call and for any number of threads.

    Source: Schmidtke, Vlontzos, Ellershaw, Lukens, Arichi, Kainz, "Unsupervised Human Pose
    Estimation through Transforming Shape Templates", CVPR 2021, and its code.

    Args:
        a: (B, M, 2) float32, float64, bfloat16 or float16, in any unit; computed in float32, or
            float64 for float64. No limits; points that are not finite make the loss so.
        b: (B, M, 2) of the same type.
        form: see above.
        backend: owner that must serve ("reference", "cpu", "cuda", "triton"), for tests and
            benchmarks; None: the device's own.

    Returns:
        () float32, or float64 for float64 points, >= 0; 0 of no points.

    Raises:
        TypeError, ValueError: an argument of the wrong kind, shape, range or device, by name.
    """
    check_tensor("a", a, "(B, M, 2)", narrow=True)
    check_tensor("b", b, "(B, M, 2)", narrow=True)
    check_like("b", b, "a", a)
    check_same_shape("b", b, "a", a)
    check_numel("a", tuple(a.shape))
    run = ANCHOR if backend is None else ANCHOR.using(backend)
    return run(a, b, _is_code(form))


def boundary_loss(
    points: Tensor,
    bound: float = 1.0,
    *,
    form: Literal["paper", "code"] = "paper",
    backend: str | None = None,
) -> Tensor:
    """How far coordinates of points that have left the image lie from its middle.

    With ``v = |z| if |z| > bound else 0`` for each coordinate z, "paper" is the mean over the batch
    of the sum over points and both coordinates. "code" is as the published code computes it, a
    third of that: it takes the mean over the three components of homogeneous points, of which the
    last never counts. The value jumps at the bound, from 0 to `bound`; the gradient is the sign of
    z outside, and 0 inside and on it. Differentiable once; results and gradients are the same bytes
    on every call and for any number of threads.

    Source: Schmidtke, Vlontzos, Ellershaw, Lukens, Arichi, Kainz, "Unsupervised Human Pose
    Estimation through Transforming Shape Templates", CVPR 2021, and its code.

    Args:
        points: (B, M, 2) float32, float64, bfloat16 or float16, normalised, (x, y); computed in
            float32, or float64 for float64. A point that is not finite is outside: the loss is not
            finite either, and its own gradient is NaN.
        bound: >= 0; 1 is the middle of the first and the last pixel.
        form: see above.
        backend: owner that must serve ("reference", "cpu", "cuda", "triton"), for tests and
            benchmarks; None: the device's own.

    Returns:
        () float32, or float64 for float64 points, >= 0; 0 of no points.

    Raises:
        TypeError, ValueError: an argument of the wrong kind, shape, range or device, by name.
    """
    check_tensor("points", points, "(B, M, 2)", narrow=True)
    check_number("bound", bound, zero=True)
    check_numel("points", tuple(points.shape))
    run = BOUNDARY if backend is None else BOUNDARY.using(backend)
    return run(points, float(bound), _is_code(form))


def _is_code(form: Any) -> bool:
    check_choice("form", form, FORMS)
    return form == "code"
