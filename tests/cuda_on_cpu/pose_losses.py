"""The CUDA kernels of the pose losses on the CPU, with the arguments of the operators' schemas."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from fastpose.ops.pose_losses import reference
from fastpose.ops.pose_losses.adversary import MOST_SCORES
from fastpose.ops.precision import wide_type
from tests.cuda_on_cpu.kernels import (
    ELEMENTS,
    assert_untouched,
    barriers,
    call,
    guarded,
    scheduled,
)

DIFFERENCE, PAIR, OUTSIDE = range(3)  # enum Term of csrc/pose_losses/cuda.cuh
Pointers = ctypes.c_void_p * MOST_SCORES


class Arrays(ctypes.Structure):
    """struct Arrays of csrc/pose_losses/cuda.cuh."""

    _fields_ = [
        ("a", Pointers),
        ("b", ctypes.c_void_p),
        ("count", ctypes.c_int64 * MOST_SCORES),
        ("share", ctypes.c_double * MOST_SCORES),
        ("arrays", ctypes.c_int32),
        ("element", ctypes.c_int),
        ("term", ctypes.c_int),
        ("constant", ctypes.c_double),
    ]


class Gradients(ctypes.Structure):
    """struct Gradients of the same file."""

    _fields_ = [("a", Pointers), ("b", ctypes.c_void_p)]


class Gaussians(ctypes.Structure):
    """struct Gaussians of csrc/pose_losses/pose_losses.h."""

    _fields_ = [
        ("mean", ctypes.c_void_p),
        ("log_variance", ctypes.c_void_p),
        ("element", ctypes.c_int),
        ("batch", ctypes.c_int64),
        ("size", ctypes.c_int64),
    ]


def _arrays(
    term: int, tensors: list[Tensor], shares: list[float], constant: float, b: Tensor | None = None
) -> Arrays:
    arrays = Arrays(
        arrays=len(tensors), element=ELEMENTS.index(tensors[0].dtype), term=term, constant=constant
    )
    for i, (tensor, share) in enumerate(zip(tensors, shares, strict=True)):
        arrays.a[i], arrays.count[i], arrays.share[i] = tensor.data_ptr(), tensor.numel(), share
    if b is not None:
        arrays.b = b.data_ptr()
    return arrays


def _new(tensor: Tensor, wanted: bool) -> tuple[Tensor, Tensor]:
    """NaN memory for a gradient of the tensor, or nothing, and all of it with what lies around."""
    flat, whole = guarded(tensor.numel() if wanted else 0, tensor.dtype)
    return (flat.view(tensor.shape) if wanted else flat), whole


@dataclass(frozen=True)
class CudaOnCpu:
    """Runs the kernels of one operator with the schedule that `seed` draws, perhaps without one
    barrier."""

    operator: str
    seed: int = 0
    removed_barrier: str = ""  # "file:line"

    def barriers(self) -> list[str]:
        """Names of all barriers that any run has reached."""
        return barriers("pose_losses")

    def forward(self, *args: Any) -> Any:
        return getattr(self, f"_{self.operator}")(*args)

    def backward(self, *args: Any) -> Any:
        return getattr(self, f"_{self.operator}_backward")(*args)

    def _library(self) -> ctypes.CDLL:
        return scheduled("pose_losses", self.seed, self.removed_barrier)

    def _loss(self, arrays: Arrays, like: Tensor) -> Tensor:
        value, whole = guarded(1, wide_type(like.dtype))
        call(self._library().loss, arrays, value)
        assert_untouched(whole, 1)
        return value.view(())

    def _gradients(
        self, arrays: Arrays, grad_output: Tensor, tensors: list[Tensor], wanted: list[bool]
    ) -> list[Tensor]:
        """Of the arrays and, where there is one more, of `b`."""
        news = [_new(t, w) for t, w in zip(tensors, wanted, strict=True)]
        where = [grad.data_ptr() if w else None for (grad, _), w in zip(news, wanted, strict=True)]
        gradients = Gradients()
        for i in range(arrays.arrays):
            gradients.a[i] = where[i]
        if arrays.term == PAIR:
            gradients.b = where[1]
        call(self._library().loss_backward, arrays, grad_output, gradients)
        for grad, whole in news:
            assert_untouched(whole, grad.numel())
        return [grad for grad, _ in news]

    # --- anchors ----------------------------------------------------------------------------------

    def _pair(self, a: Tensor, b: Tensor, code_form: bool) -> Arrays:
        return _arrays(PAIR, [a], [1 / reference.anchor_denominator(a.shape, code_form)], 0.0, b)

    def _anchor_loss(self, a: Tensor, b: Tensor, code_form: bool) -> Tensor:
        return self._loss(self._pair(a, b, code_form), a)

    def _anchor_loss_backward(
        self, grad: Tensor, a: Tensor, b: Tensor, code_form: bool, *needs: bool
    ) -> tuple[Tensor, ...]:
        return tuple(self._gradients(self._pair(a, b, code_form), grad, [a, b], list(needs)))

    def _outside(self, points: Tensor, bound: float, code_form: bool) -> Arrays:
        return _arrays(
            OUTSIDE, [points], [1 / reference.boundary_denominator(points.shape, code_form)], bound
        )

    def _boundary_loss(self, points: Tensor, bound: float, code_form: bool) -> Tensor:
        return self._loss(self._outside(points, bound, code_form), points)

    def _boundary_loss_backward(
        self, grad: Tensor, points: Tensor, bound: float, code_form: bool
    ) -> Tensor:
        return self._gradients(self._outside(points, bound, code_form), grad, [points], [True])[0]

    # --- adversary --------------------------------------------------------------------------------

    def _scores(self, scores: list[Tensor], target: float) -> Arrays:
        shares = [1 / (len(scores) * max(s.numel(), 1)) for s in scores]
        return _arrays(DIFFERENCE, scores, shares, target)

    def _least_squares_gan(self, scores: list[Tensor], target: float) -> Tensor:
        return self._loss(self._scores(scores, target), scores[0])

    def _least_squares_gan_backward(
        self, grad: Tensor, scores: list[Tensor], target: float
    ) -> list[Tensor]:
        return self._gradients(self._scores(scores, target), grad, scores, [True] * len(scores))

    # --- divergence -------------------------------------------------------------------------------

    def _gaussian_kl(
        self, mean: Tensor, log_variance: Tensor, free_bits: float
    ) -> tuple[Tensor, Tensor]:
        wide = wide_type(mean.dtype)
        value, around_value = guarded(1, wide)
        coordinates, around = guarded(mean.shape[1] if free_bits > 0 else 0, wide)
        call(
            self._library().divergence, _gaussians(mean, log_variance), free_bits, value,
            coordinates if free_bits > 0 else None,
        )  # fmt: skip
        assert_untouched(around_value, 1)
        assert_untouched(around, coordinates.numel())
        return value.view(()), coordinates

    def _gaussian_kl_backward(
        self, grad: Tensor, mean: Tensor, log_variance: Tensor, coordinates: Tensor,
        free_bits: float, *needs: bool,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        news = [_new(t, w) for t, w in zip((mean, log_variance), needs, strict=True)]
        call(
            self._library().divergence_backward, _gaussians(mean, log_variance), free_bits,
            coordinates if free_bits > 0 else None, grad,
            *[new if w else None for (new, _), w in zip(news, needs, strict=True)],
        )  # fmt: skip
        for new, whole in news:
            assert_untouched(whole, new.numel())
        return tuple(new for new, _ in news)


def _gaussians(mean: Tensor, log_variance: Tensor) -> Gaussians:
    element = ELEMENTS.index(mean.dtype)
    return Gaussians(mean.data_ptr(), log_variance.data_ptr(), element, *mean.shape)


_NAMES = {
    "anchor_loss": "anchor",
    "boundary_loss": "boundary",
    "gaussian_kl": "divergence",
    "least_squares_gan": "least_squares",
}


class Reference:
    """The references of one operator in the same form."""

    def __init__(self, operator: str) -> None:
        self.forward, self.backward = (
            getattr(reference, f"{_NAMES[operator]}_{role}") for role in ("forward", "backward")
        )
