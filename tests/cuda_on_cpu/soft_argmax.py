"""The CUDA kernels of soft_argmax on the CPU, with the arguments of the operator's schemas, and
problems that any owner of it can be asked."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fastpose.ops.precision import wide_type
from fastpose.ops.samples import Sample, generator
from fastpose.ops.soft_argmax import reference
from tests.cuda_on_cpu.kernels import (
    ELEMENTS,
    Image,
    assert_untouched,
    barriers,
    call,
    guarded,
    image_of,
    scheduled,
)
from tests.cuda_on_cpu.problems import error


class Maps(ctypes.Structure):
    """struct Maps of csrc/soft_argmax/soft_argmax.h."""

    _fields_ = [
        ("logits", Image),
        ("batch", ctypes.c_int64),
        ("maps", ctypes.c_int64),
        ("height", ctypes.c_int32),
        ("width", ctypes.c_int32),
        ("joint", ctypes.c_bool),
        ("channels_last", ctypes.c_bool),
        ("extent", ctypes.c_double),
    ]


class Results(ctypes.Structure):
    """struct Results."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("points", "confidence", "kept")]


class Gradients(ctypes.Structure):
    """struct Gradients."""

    _fields_ = [
        ("points", ctypes.c_void_p),
        ("point_stride", ctypes.c_int64 * 3),
        ("confidence", ctypes.c_void_p),
        ("confidence_stride", ctypes.c_int64 * 2),
        ("kept", ctypes.c_void_p),
        ("logits", Image),
    ]


@dataclass(frozen=True)
class CudaOnCpu:
    """Runs the kernels with the schedule that `seed` draws, perhaps without one barrier."""

    seed: int = 0
    removed_barrier: str = ""  # "file:line"

    def _library(self) -> ctypes.CDLL:
        return scheduled("soft_argmax", self.seed, self.removed_barrier)

    def barriers(self) -> list[str]:
        """Names of all barriers that any run has reached."""
        return barriers("soft_argmax")

    def forward(self, logits: Tensor, *options: Any) -> tuple[Tensor, Tensor, Tensor]:
        batch, maps = logits.shape[:2]
        joint, _, height, width, dtype, channels_last = options
        kept = (batch, maps, 6 if joint else width + height)
        if channels_last and not joint:
            kept = (batch, width + height, maps)
        sizes = [torch.Size(s) for s in ((batch, maps, 2), (batch, maps), kept)]
        arrays = [guarded(size.numel(), wide_type(dtype)) for size in sizes]
        results = Results(*[flat.data_ptr() for flat, _ in arrays])
        call(self._library().forward, _maps(logits, batch, maps, *options), results)
        for size, (_, whole) in zip(sizes, arrays, strict=True):
            assert_untouched(whole, size.numel())
        points, confidence, kept = [
            flat.view(size) for size, (flat, _) in zip(sizes, arrays, strict=True)
        ]
        return points, confidence, kept

    def backward(
        self,
        grad_points: Tensor | None,
        grad_confidence: Tensor | None,
        logits: Tensor | None,
        kept: Tensor,
        *options: Any,
    ) -> Tensor:
        joint, _, height, width, dtype, channels_last = options
        maps = kept.shape[2 if channels_last and not joint else 1]
        size = torch.Size((kept.shape[0], height, width, maps))
        flat, whole = guarded(size.numel(), dtype)
        grad = flat.view(size).permute(0, 3, 1, 2)
        if not channels_last:
            grad = flat.view(kept.shape[0], maps, height, width)
        gradients = Gradients(kept=kept.data_ptr(), logits=image_of(grad))
        if grad_points is not None:
            gradients.points = grad_points.data_ptr()
            gradients.point_stride = (ctypes.c_int64 * 3)(*grad_points.stride())
        if grad_confidence is not None:
            gradients.confidence = grad_confidence.data_ptr()
            gradients.confidence_stride = (ctypes.c_int64 * 2)(*grad_confidence.stride())
        described = _maps(logits, kept.shape[0], maps, *options)
        call(self._library().backward, described, gradients)
        assert_untouched(whole, size.numel())
        return grad


def _maps(
    logits: Tensor | None,
    batch: int,
    maps: int,
    joint: bool,
    extent: float,
    height: int,
    width: int,
    dtype: torch.dtype,
    channels_last: bool,
) -> Maps:
    image = Image(element=ELEMENTS.index(dtype)) if logits is None else image_of(logits)
    return Maps(image, batch, maps, height, width, joint, channels_last, extent)


@dataclass(frozen=True)
class Problem:
    """Logits and how they are decoded: what every owner of the operator is asked."""

    logits: Tensor
    joint: bool = False
    extent: float = 1.0

    @property
    def options(self) -> tuple[Any, ...]:
        height, width = self.logits.shape[2:]
        stride = self.logits.stride()
        channels_last = stride[1] == 1 and stride[3] != 1
        return (self.joint, self.extent, height, width, self.logits.dtype, channels_last)

    def with_logits(self, logits: Tensor) -> Problem:
        return Problem(logits, self.joint, self.extent)

    def forward(self, owner: Any) -> tuple[Tensor, Tensor, Tensor]:
        return owner.forward(self.logits, *self.options)

    def backward(
        self, owner: Any, grad_points: Tensor | None, grad_confidence: Tensor | None
    ) -> Tensor:
        """From what the owner's own forward keeps."""
        kept = self.forward(owner)[2]
        logits = self.logits if self.joint else None
        return owner.backward(grad_points, grad_confidence, logits, kept, *self.options)


def problem_of(sample: Sample) -> Problem:
    joint = sample.kwargs.get("mode") == "joint"
    return Problem(sample.args[0], joint, sample.kwargs.get("extent", 1.0))


def random_maps(
    seed: int,
    shape: tuple[int, int, int, int],
    *,
    joint: bool = False,
    dtype: torch.dtype = torch.float32,
    channels_last: bool = False,
    extent: float = 1.0,
) -> Problem:
    drawn = torch.randn(shape, generator=generator(seed), dtype=torch.float64) * 3 + 5
    form = torch.channels_last if channels_last else torch.contiguous_format
    return Problem(drawn.to(dtype).contiguous(memory_format=form), joint, extent)


def gradients_for(problem: Problem, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random gradients of points and confidence, in the type of the results."""
    maps = problem.logits.shape[:2]
    source, dtype = generator(seed), wide_type(problem.logits.dtype)
    points = torch.randn(*maps, 2, generator=source, dtype=torch.float64)
    return points.to(dtype), torch.randn(maps, generator=source, dtype=torch.float64).to(dtype)


def everything(problem: Problem, owner: Any) -> list[Tensor]:
    """Points, confidence, and the gradient of the logits."""
    points, confidence, _ = problem.forward(owner)
    return [points, confidence, problem.backward(owner, *gradients_for(problem))]


def assert_as_exact(problem: Problem, owner: Any) -> None:
    """The owner's results err at most 2 (results) and 3 (gradient) times as much as PyTorch's own.

    Both are compared with the reference in float64.
    """
    exact = problem.with_logits(problem.logits.double())
    truth = exact.forward(reference)
    grad_points, grad_confidence = gradients_for(problem)
    gradients = grad_points.double(), grad_confidence.double()
    logits = exact.logits if exact.joint else None
    slope = reference.backward(*gradients, logits, truth[2], *exact.options)
    plain, own = everything(problem, reference), everything(problem, owner)
    floor = 1e-12 if problem.logits.dtype == torch.float64 else 4e-7
    # Points near the centre are as exact as those at the edge: they are compared off it.
    for i, (found, usual, want) in enumerate(zip(own, plain, [*truth[:2], slope], strict=True)):
        assert found.dtype == usual.dtype and found.shape == usual.shape
        factor, shift = (2, 2, 3)[i], (exact.extent, 0, 0)[i]
        allowed = factor * error(usual + shift, want + shift) + floor
        assert error(found + shift, want + shift) <= allowed
