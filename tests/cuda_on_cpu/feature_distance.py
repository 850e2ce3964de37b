"""The CUDA kernels of feature_distance on the CPU, with the arguments of the operator's schemas,
and what they are asked."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from fastpose.ops.feature_distance import MOST_LAYERS, NORMS, reference
from fastpose.ops.precision import wide_type
from fastpose.ops.samples import Sample, generator
from tests.cuda_on_cpu.kernels import (
    ELEMENTS,
    assert_untouched,
    barriers,
    call,
    guarded,
    scheduled,
)


class Layer(ctypes.Structure):
    """struct Layer of csrc/feature_distance/feature_distance.h."""

    _fields_ = [
        ("feature", ctypes.c_void_p),
        ("target", ctypes.c_void_p),
        ("gradient", ctypes.c_void_p),
        ("element", ctypes.c_int),
        ("channels_last", ctypes.c_bool),
        ("channels", ctypes.c_int32),
        ("height", ctypes.c_int32),
        ("width", ctypes.c_int32),
    ]


class Distance(ctypes.Structure):
    """struct Distance of the same header."""

    _fields_ = [
        ("layer", Layer * MOST_LAYERS),
        ("layers", ctypes.c_int32),
        ("batch", ctypes.c_int64),
        ("mask", ctypes.c_void_p),
        ("mask_height", ctypes.c_int32),
        ("mask_width", ctypes.c_int32),
        ("running_mean", ctypes.c_void_p),
        ("started", ctypes.c_void_p),
        ("loss", ctypes.c_void_p),
        ("scale", ctypes.c_void_p),
        ("momentum", ctypes.c_double),
        ("norm", ctypes.c_int),
        ("is_double", ctypes.c_bool),
        ("update", ctypes.c_bool),
        ("through_mean", ctypes.c_bool),
    ]


class Gradients(ctypes.Structure):
    """struct Gradients of csrc/feature_distance/cuda.cuh."""

    _fields_ = [
        ("data", ctypes.c_void_p * MOST_LAYERS),
        ("element", ctypes.c_int * MOST_LAYERS),
        ("numel", ctypes.c_int64 * MOST_LAYERS),
        ("layers", ctypes.c_int32),
        ("grad_loss", ctypes.c_void_p),
        ("scale", ctypes.c_void_p),
        ("is_double", ctypes.c_bool),
    ]


def _address(tensor: Tensor | None) -> int | None:
    return tensor.data_ptr() if tensor is not None and tensor.numel() else None


@dataclass(frozen=True)
class CudaOnCpu:
    """Runs the kernels with the schedule that `seed` draws, perhaps without one barrier."""

    seed: int = 0
    removed_barrier: str = ""  # "file:line"

    def _library(self) -> ctypes.CDLL:
        kernels = scheduled("feature_distance", self.seed, self.removed_barrier)
        kernels.scratch_bytes.restype = ctypes.c_int64
        return kernels

    def barriers(self) -> list[str]:
        """Names of all barriers that any run has reached."""
        return barriers("feature_distance")

    def forward(
        self,
        features: list[Tensor],
        targets: list[Tensor],
        mask: Tensor | None,
        running_mean: Tensor | None,
        started: Tensor | None,
        gradients: list[Tensor],
        norm: int,
        momentum: float,
        update: bool,
        through_mean: bool,
    ) -> tuple[Tensor, Tensor]:
        wide = wide_type(features[0].dtype)
        kernels, count = self._library(), len(features)
        results, around_results = guarded(1 + count, wide)
        layers = [
            Layer(
                _address(x), _address(y), _address(g), ELEMENTS.index(x.dtype),
                not x.is_contiguous(), *x.shape[1:],
            )
            for x, y, g in zip(features, targets, gradients, strict=True)
        ]  # fmt: skip
        distance = Distance(
            (Layer * MOST_LAYERS)(*layers),
            count,
            features[0].shape[0],
            None if mask is None else mask.data_ptr(),
            *((0, 0) if mask is None else mask.shape[2:]),
            _address(running_mean),
            _address(started),
            results.data_ptr(),
            results.data_ptr() + results.element_size(),
            momentum,
            norm,
            wide == torch.float64,
            update,
            through_mean,
        )
        size = kernels.scratch_bytes(ctypes.byref(distance)) // 8
        scratch, around_scratch = guarded(size, torch.float64)
        call(kernels.forward, distance, scratch)
        assert_untouched(around_scratch, size)
        assert_untouched(around_results, 1 + count)
        return results[0], results[1:]

    def backward(self, grad_loss: Tensor, scale: Tensor, gradients: list[Tensor]) -> None:
        kernels, count = self._library(), len(gradients)
        call(
            kernels.backward,
            Gradients(
                (ctypes.c_void_p * MOST_LAYERS)(*map(_address, gradients)),
                (ctypes.c_int * MOST_LAYERS)(*(ELEMENTS.index(g.dtype) for g in gradients)),
                (ctypes.c_int64 * MOST_LAYERS)(*(g.numel() for g in gradients)),
                count,
                grad_loss.data_ptr(),
                scale.data_ptr(),
                scale.dtype == torch.float64,
            ),
        )


@dataclass(frozen=True)
class Result:
    """What a forward and a backward give and leave behind."""

    loss: Tensor
    gradients: list[Tensor]
    running_mean: Tensor | None
    started: Tensor | None

    def tensors(self) -> list[Tensor]:
        more = (self.running_mean, self.started)
        return [self.loss, *self.gradients, *(t for t in more if t is not None)]

    def equals(self, other: Result) -> bool:
        pairs = zip(self.tensors(), other.tensors(), strict=True)
        return all(torch.equal(a, b) for a, b in pairs)


@dataclass(frozen=True)
class Problem:
    """One call: what every owner of the operator is asked. `wanted`: which gradients; None: all."""

    features: list[Tensor]
    targets: list[Tensor]
    mask: Tensor | None = None
    running_mean: Tensor | None = None
    started: Tensor | None = None
    norm: str = "l2"
    momentum: float = 0.99
    update: bool = False
    through_mean: bool = False
    grad_loss: float = 1.0
    wanted: tuple[bool, ...] | None = None

    def with_layers(self, change: Callable[[Tensor], Tensor]) -> Problem:
        features, targets = ([change(t) for t in ts] for ts in (self.features, self.targets))
        return replace(self, features=features, targets=targets)

    def to(self, dtype: torch.dtype) -> Problem:
        """Features of that type, the rest of the type that sums are formed in."""
        wide = wide_type(dtype)
        changed = self.with_layers(lambda t: t.to(dtype))
        mask, mean = (None if t is None else t.to(wide) for t in (self.mask, self.running_mean))
        return replace(changed, mask=mask, running_mean=mean)

    def run(self, owner: Any) -> Result:
        """Forward and backward of `grad_loss` times the loss."""
        wanted = self.wanted or (True,) * len(self.features)
        gradients, around = [], []
        for x, want in zip(self.features, wanted, strict=True):
            flat, whole = guarded(x.numel() if want else 0, x.dtype)
            gradients.append(flat.as_strided(x.shape, x.stride()) if flat.numel() else flat)
            around.append(whole)
        mean, started = (
            None if t is None else t.clone() for t in (self.running_mean, self.started)
        )
        loss, scale = owner.forward(
            self.features, self.targets, self.mask, mean, started, gradients, NORMS[self.norm],
            self.momentum, self.update, self.through_mean,
        )  # fmt: skip
        owner.backward(torch.full_like(loss, self.grad_loss), scale, gradients)
        for gradient, whole in zip(gradients, around, strict=True):
            assert_untouched(whole, gradient.numel())
        return Result(loss, gradients, mean, started)


def problem_of(sample: Sample) -> Problem:
    return Problem(*sample.args, **sample.kwargs)


def random_layers(seed: int, *shapes: tuple[int, int, int, int], **more: Any) -> Problem:
    """Random features and targets in float32."""
    source = generator(seed)
    features, targets = ([torch.randn(s, generator=source) for s in shapes] for _ in range(2))
    return Problem(features, targets, **more)


def assert_as_exact(problem: Problem, owner: Any) -> None:
    """The results are those of the reference in float64 but for rounding.

    Sums are wide whatever the features are; gradients are rounded twice at most.
    """
    want, found = problem.to(torch.float64).run(reference), problem.run(owner)
    wide = found.loss.dtype == torch.float64
    rounding = 1e-12 if wide else 2e-6
    assert_close(found.loss, want.loss, rounding, 0.0)
    if found.running_mean is not None and want.running_mean is not None:
        assert_close(found.running_mean, want.running_mean, rounding, 0.0)
    assert found.started is None or torch.equal(found.started, torch.as_tensor(want.started))
    for got, expected in zip(found.gradients, want.gradients, strict=True):
        narrow = {torch.bfloat16: 1.01 * 2**-7, torch.float16: 1.01 * 2**-10}
        most = float(expected.abs().max()) if expected.numel() else 0.0
        least = torch.finfo(got.dtype).tiny * torch.finfo(got.dtype).eps
        atol = max(rounding * most, least)
        assert_close(got, expected, narrow.get(got.dtype, rounding), atol)


def assert_close(found: Tensor, want: Tensor, rtol: float, atol: float) -> None:
    torch.testing.assert_close(found.double(), want, rtol=rtol, atol=atol)
