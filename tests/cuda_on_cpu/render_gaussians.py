"""The CUDA kernels of render_gaussians on the CPU, with the arguments of the operator's schemas."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import torch
from torch import Tensor

from tests.cuda_on_cpu.kernels import (
    assert_untouched,
    barriers,
    call,
    guarded,
    image_of,
    scheduled,
)

NAME = "render_gaussians"
Strides3, Strides4 = ctypes.c_int64 * 3, ctypes.c_int64 * 4


class Drawing(ctypes.Structure):
    """struct Drawing of csrc/render_gaussians/render_gaussians.h."""

    _fields_ = [
        ("mean", ctypes.c_void_p),
        ("mean_stride", Strides3),
        ("covariance", ctypes.c_void_p),
        ("covariance_stride", Strides4),
        ("affine", ctypes.c_void_p),
        ("affine_stride", Strides4),
        ("is_double", ctypes.c_bool),
        ("is_moved", ctypes.c_bool),
        ("batch", ctypes.c_int64),
        ("maps", ctypes.c_int64),
        ("height", ctypes.c_int32),
        ("width", ctypes.c_int32),
        ("variance", ctypes.c_double),
        ("jitter", ctypes.c_double),
    ]


class Gradients(ctypes.Structure):
    """struct Gradients there."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("mean", "covariance", "affine")]


@dataclass(frozen=True)
class CudaOnCpu:
    """Runs the kernels with the schedule that `seed` draws, perhaps without one barrier."""

    seed: int = 0
    removed_barrier: str = ""  # "file:line"

    def _library(self) -> ctypes.CDLL:
        kernels = scheduled(NAME, self.seed, self.removed_barrier)
        kernels.scratch_bytes.restype = ctypes.c_int64
        return kernels

    def barriers(self) -> list[str]:
        """Names of all barriers that any run has reached."""
        return barriers(NAME)

    def forward(
        self,
        mean: Tensor,
        covariance: Tensor | None,
        affine: Tensor | None,
        height: int,
        width: int,
        variance: float,
        jitter: float,
        dtype: torch.dtype,
    ) -> Tensor:
        batched = mean if affine is None else affine
        shape = (*batched.shape[:2], height, width)
        size = torch.Size(shape).numel()
        flat, whole = guarded(size, dtype)
        out = flat.view(shape)
        self.into(mean, covariance, affine, variance, jitter, out)
        assert_untouched(whole, size)
        return out

    def into(
        self,
        mean: Tensor,
        covariance: Tensor | None,
        affine: Tensor | None,
        variance: float,
        jitter: float,
        out: Tensor,
    ) -> None:
        drawing = _drawing(mean, covariance, affine, out, variance, jitter)
        call(self._library().forward, drawing, image_of(out))

    def backward(
        self,
        grad_output: Tensor,
        mean: Tensor,
        covariance: Tensor | None,
        affine: Tensor | None,
        variance: float,
        jitter: float,
        *needs: bool,
    ) -> tuple[Tensor, ...]:
        kernels = self._library()
        drawing = _drawing(mean, covariance, affine, grad_output, variance, jitter)
        image = image_of(grad_output)
        elements = kernels.scratch_bytes(ctypes.byref(drawing), ctypes.byref(image))
        elements //= mean.element_size()
        scratch, around_scratch = guarded(elements, mean.dtype)
        memory, results = [], []
        for value, needed in zip((mean, covariance, affine), needs, strict=True):
            shape = value.shape if value is not None and needed else (0,)
            flat, whole = guarded(torch.Size(shape).numel(), mean.dtype)
            memory.append((whole, flat.numel()))
            results.append(flat.view(shape))
        pointers = Gradients(*[r.data_ptr() if r.numel() else None for r in results])
        call(kernels.backward, drawing, image, scratch, pointers)
        assert_untouched(around_scratch, elements)
        for whole, size in memory:
            assert_untouched(whole, size)
        return tuple(results)


def _strides(tensor: Tensor | None, count: int) -> list[int]:
    """A template's stride over the batch is 0."""
    given = [] if tensor is None else list(tensor.stride())
    return [0] * (count - len(given)) + given


def _drawing(
    mean: Tensor,
    covariance: Tensor | None,
    affine: Tensor | None,
    image: Tensor,
    variance: float,
    jitter: float,
) -> Drawing:
    return Drawing(
        mean.data_ptr(),
        Strides3(*_strides(mean, 3)),
        None if covariance is None else covariance.data_ptr(),
        Strides4(*_strides(covariance, 4)),
        None if affine is None else affine.data_ptr(),
        Strides4(*_strides(affine, 4)),
        mean.dtype == torch.float64,
        affine is not None,
        *image.shape,
        variance,
        jitter,
    )
