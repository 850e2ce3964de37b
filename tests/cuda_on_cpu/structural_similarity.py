"""The CUDA kernels of structural_similarity on the CPU, with the arguments of the operator's
schemas."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import torch
from torch import Tensor

from fastpose.ops.precision import wide_type
from fastpose.ops.structural_similarity.reference import SIDE
from tests.cuda_on_cpu.kernels import (
    Image,
    assert_untouched,
    barriers,
    call,
    guarded,
    image_of,
    scheduled,
)


class Comparison(ctypes.Structure):
    """struct Comparison of csrc/structural_similarity/structural_similarity.h."""

    _fields_ = [
        ("x", Image),
        ("y", Image),
        ("batch", ctypes.c_int64),
        ("channels", ctypes.c_int64),
        ("height", ctypes.c_int32),
        ("width", ctypes.c_int32),
        ("window", ctypes.c_int),
        ("scale", ctypes.c_double),
        ("norm", ctypes.c_double),
    ]


class Slopes(ctypes.Structure):
    """struct Slopes of the same file."""

    _fields_ = [("x", Image), ("y", Image)]


def _like(image: Tensor, wanted: bool) -> tuple[Tensor, Tensor]:
    """NaN memory that lies like an image, or nothing, and all of it with what lies around."""
    flat, whole = guarded(image.numel() if wanted else 0, image.dtype)
    if not wanted:
        return flat, whole
    return flat.as_strided(image.shape, torch.empty_like(image).stride()), whole


def _image(tensor: Tensor) -> Image:
    return image_of(tensor) if tensor.ndim == 4 else Image()


def _windows(shape: torch.Size, window: int) -> int:
    _, channels, height, width = shape
    return channels * (height - SIDE[window] + 1) * (width - SIDE[window] + 1)


@dataclass(frozen=True)
class CudaOnCpu:
    """Runs the kernels with the schedule that `seed` draws, perhaps without one barrier."""

    seed: int = 0
    removed_barrier: str = ""  # "file:line"

    def _library(self) -> ctypes.CDLL:
        kernels = scheduled("structural_similarity", self.seed, self.removed_barrier)
        kernels.scratch_numbers.restype = ctypes.c_int64
        return kernels

    def barriers(self) -> list[str]:
        """Names of all barriers that any run has reached."""
        return barriers("structural_similarity")

    def forward(
        self,
        x: Tensor,
        y: Tensor,
        window: int,
        data_range: float,
        sample_covariance: bool,
        slope_of_x: bool,
        slope_of_y: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        kernels = self._library()
        pixels = SIDE[window] ** 2
        norm = pixels / (pixels - 1) if sample_covariance else 1.0
        pair = Comparison(image_of(x), image_of(y), *x.shape, window, 1 / data_range, norm)
        slopes = [_like(x, slope_of_x), _like(y, slope_of_y)]
        count = kernels.scratch_numbers(ctypes.byref(pair))
        scratch, around_scratch = guarded(count, torch.float64)
        wide = wide_type(x.dtype)
        values, around = guarded(x.shape[0], wide)
        both = Slopes(*(_image(s) for s, _ in slopes))
        call(kernels.forward, pair, both, float(_windows(x.shape, window)), scratch, values)
        assert_untouched(around_scratch, count)
        assert_untouched(around, values.numel())
        for slope, whole in slopes:
            assert_untouched(whole, slope.numel())
        return values, slopes[0][0], slopes[1][0]

    def backward(
        self,
        grad_output: Tensor,
        slope_x: Tensor,
        slope_y: Tensor,
        window: int,
        data_range: float,
        needs_x: bool,
        needs_y: bool,
    ) -> tuple[Tensor, Tensor]:
        grads = []
        for slope, needed in ((slope_x, needs_x), (slope_y, needs_y)):
            grad, whole = _like(slope, needed)
            if needed:
                sizes = torch.tensor(slope.shape)
                per_window = 1 / (data_range * _windows(slope.shape, window))
                call(
                    self._library().backward, image_of(slope), image_of(grad), grad_output,
                    grad_output.stride(0), per_window, sizes,
                )  # fmt: skip
                assert_untouched(whole, grad.numel())
            grads.append(grad)
        return grads[0], grads[1]
