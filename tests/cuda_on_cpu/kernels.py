"""Calls CUDA kernels compiled for the CPU: what every `<operator>.py` beside this file needs."""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor

from tests.cuda_on_cpu.build import library

ELEMENTS = (torch.float32, torch.float64, torch.bfloat16, torch.float16)  # enum Element
GUARD = 64  # elements around an array that must stay as they are


def scheduled(name: str, seed: int, removed_barrier: str) -> ctypes.CDLL:
    """The library of ``<name>.cpp``, set to the schedule that `seed` draws, perhaps without one
    barrier ("file:line")."""
    kernels = library(name)
    kernels.schedule(ctypes.c_uint64(seed), removed_barrier.encode())
    return kernels


def barriers(name: str) -> list[str]:
    """Names of all barriers that any run of the library has reached."""
    kernels = library(name)
    kernels.barriers.restype = ctypes.c_char_p
    return kernels.barriers().decode().split()


def call(function: Any, *args: Tensor | ctypes.Structure | int | float | None) -> None:
    """Call a function of a library that returns null or why it failed.

    Tensors go as pointers to their data, structures as pointers, numbers as 64 bits.

    Raises:
        RuntimeError: it failed.
    """
    function.restype = ctypes.c_char_p
    message = function(*map(_converted, args))
    if message is not None:
        raise RuntimeError(message.decode())


def _converted(value: Any) -> Any:
    if isinstance(value, Tensor):
        return ctypes.c_void_p(value.data_ptr())
    if isinstance(value, ctypes.Structure):
        return ctypes.byref(value)
    if isinstance(value, float):
        return ctypes.c_double(value)
    return None if value is None else ctypes.c_int64(value)


class Image(ctypes.Structure):
    """struct Image of csrc/common/image.h."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("element", ctypes.c_int),
        ("stride", ctypes.c_int64 * 4),
    ]


def image_of(tensor: Tensor) -> Image:
    strides = (ctypes.c_int64 * 4)(*tensor.stride())
    return Image(tensor.data_ptr(), ELEMENTS.index(tensor.dtype), strides)


def guarded(size: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """NaN memory of `size` elements, 16-byte aligned, and all of it with what lies around."""
    whole = torch.full((size + 2 * GUARD,), torch.nan, dtype=dtype)
    return whole[GUARD : GUARD + size], whole


def assert_untouched(whole: Tensor, size: int) -> None:
    assert whole[:GUARD].isnan().all(), "written before the array"
    assert whole[GUARD + size :].isnan().all(), "written behind the array"
