"""The CUDA kernels of render_skeleton on the CPU, with the arguments of the operator's schemas."""

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


class Drawing(ctypes.Structure):
    """struct Drawing of csrc/render_skeleton/render_skeleton.h."""

    _fields_ = [
        ("points", ctypes.c_void_p),
        ("point_stride", ctypes.c_int64 * 3),
        ("is_double", ctypes.c_bool),
        ("plan", ctypes.c_void_p),
        ("widths", ctypes.c_void_p),
        ("batch", ctypes.c_int64),
        ("joints", ctypes.c_int64),
        ("limbs", ctypes.c_int32),
        ("channels", ctypes.c_int32),
        ("height", ctypes.c_int32),
        ("width", ctypes.c_int32),
        ("sharpness", ctypes.c_double),
        ("eps", ctypes.c_double),
        ("profile", ctypes.c_int),
    ]


@dataclass(frozen=True)
class CudaOnCpu:
    """Runs the kernels with the schedule that `seed` draws, perhaps without one barrier."""

    seed: int = 0
    removed_barrier: str = ""  # "file:line"

    def _library(self) -> ctypes.CDLL:
        kernels = scheduled("render_skeleton", self.seed, self.removed_barrier)
        kernels.scratch_bytes.restype = ctypes.c_int64
        return kernels

    def barriers(self) -> list[str]:
        """Names of all barriers that any run has reached."""
        return barriers("render_skeleton")

    def forward(
        self,
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
        shape = (points.shape[0], channels, height, width)
        size = torch.Size(shape).numel()
        flat, whole = guarded(size, dtype)
        out = flat.view(shape)
        self.into(points, plan, widths, limbs, channels, sharpness, profile, eps, out)
        assert_untouched(whole, size)
        return out

    def into(
        self,
        points: Tensor,
        plan: Tensor,
        widths: Tensor | None,
        limbs: int,
        channels: int,
        sharpness: float,
        profile: int,
        eps: float,
        out: Tensor,
    ) -> None:
        drawing = _drawing(
            points, plan, widths, limbs, channels, *out.shape[2:], sharpness, profile, eps
        )
        call(self._library().forward, drawing, image_of(out))

    def backward(
        self,
        grad_output: Tensor,
        points: Tensor,
        plan: Tensor,
        widths: Tensor | None,
        limbs: int,
        sharpness: float,
        profile: int,
        eps: float,
    ) -> Tensor:
        kernels = self._library()
        drawing = _drawing(
            points, plan, widths, limbs, *grad_output.shape[1:], sharpness, profile, eps
        )
        elements = kernels.scratch_bytes(ctypes.byref(drawing)) // points.element_size()
        scratch, around_scratch = guarded(elements, points.dtype)
        grad_points, around = guarded(points.numel(), points.dtype)
        call(kernels.backward, drawing, image_of(grad_output), scratch, grad_points)
        assert_untouched(around_scratch, elements)
        assert_untouched(around, points.numel())
        return grad_points.view(points.shape)


def _drawing(
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
) -> Drawing:
    return Drawing(
        points.data_ptr(),
        (ctypes.c_int64 * 3)(*points.stride()),
        points.dtype == torch.float64,
        plan.data_ptr(),
        None if widths is None else widths.data_ptr(),
        points.shape[0],
        points.shape[1],
        limbs,
        channels,
        height,
        width,
        sharpness,
        eps,
        profile,
    )
