"""The CUDA kernels of warp_templates on the CPU, with the arguments of the operator's schemas, and
what they are asked."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from fastpose.ops.samples import Sample, generator
from fastpose.ops.warp_templates import reference
from fastpose.ops.warp_templates.samples import lattice_gaps, random_affine
from tests.cuda_on_cpu.kernels import (
    assert_untouched,
    barriers,
    call,
    guarded,
    image_of,
    scheduled,
)
from tests.cuda_on_cpu.problems import error


class Warp(ctypes.Structure):
    """struct Warp of csrc/warp_templates/warp_templates.h."""

    _fields_ = [
        ("templates", ctypes.c_void_p),
        ("template_stride", ctypes.c_int64 * 3),
        ("affine", ctypes.c_void_p),
        ("affine_stride", ctypes.c_int64 * 4),
        ("is_double", ctypes.c_bool),
        ("batch", ctypes.c_int64),
        ("count", ctypes.c_int32),
        ("rows", ctypes.c_int32),
        ("columns", ctypes.c_int32),
        ("height", ctypes.c_int32),
        ("width", ctypes.c_int32),
    ]


def _warp(templates: Tensor, affine: Tensor, image: Tensor) -> Warp:
    return Warp(
        templates.data_ptr(),
        (ctypes.c_int64 * 3)(*templates.stride()),
        affine.data_ptr(),
        (ctypes.c_int64 * 4)(*affine.stride()),
        templates.dtype == torch.float64,
        affine.shape[0],
        *templates.shape,
        *image.shape[2:],
    )


@dataclass(frozen=True)
class CudaOnCpu:
    """Runs the kernels with the schedule that `seed` draws, perhaps without one barrier."""

    seed: int = 0
    removed_barrier: str = ""  # "file:line"

    def _library(self) -> ctypes.CDLL:
        kernels = scheduled("warp_templates", self.seed, self.removed_barrier)
        kernels.scratch_bytes.restype = ctypes.c_int64
        return kernels

    def barriers(self) -> list[str]:
        """Names of all barriers that any run has reached."""
        return barriers("warp_templates")

    def forward(
        self, templates: Tensor, affine: Tensor, height: int, width: int, dtype: torch.dtype
    ) -> Tensor:
        shape = (*affine.shape[:2], height, width)
        size = torch.Size(shape).numel()
        flat, whole = guarded(size, dtype)
        out = flat.view(shape)
        self.into(templates, affine, out)
        assert_untouched(whole, size)
        return out

    def into(self, templates: Tensor, affine: Tensor, out: Tensor) -> None:
        templates = templates.contiguous()  # as register.cu does
        call(self._library().forward, _warp(templates, affine, out), image_of(out))

    def backward(
        self,
        grad_output: Tensor,
        templates: Tensor,
        affine: Tensor,
        needs_templates: bool,
        needs_affine: bool,
    ) -> tuple[Tensor, Tensor]:
        kernels = self._library()
        templates = templates.contiguous()
        warp, image = _warp(templates, affine, grad_output), image_of(grad_output)
        results = [templates.new_empty(0), affine.new_empty(0)]
        if needs_templates:
            flat, whole = guarded(templates.numel(), templates.dtype)
            call(kernels.backward_templates, warp, image, flat)
            assert_untouched(whole, templates.numel())
            results[0] = flat.view(templates.shape)
        if needs_affine:
            elements = kernels.scratch_bytes(ctypes.byref(warp)) // affine.element_size()
            scratch, around_scratch = guarded(elements, affine.dtype)
            flat, whole = guarded(affine.numel(), affine.dtype)
            call(kernels.backward_affine, warp, image, scratch, flat)
            assert_untouched(around_scratch, elements)
            assert_untouched(whole, affine.numel())
            results[1] = flat.view(affine.shape)
        return results[0], results[1]


@dataclass(frozen=True)
class Problem:
    """One call: what every owner of the operator is asked."""

    templates: Tensor
    affine: Tensor
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (*self.affine.shape[:2], self.height, self.width)

    def with_tensors(self, templates: Tensor, affine: Tensor) -> Problem:
        return replace(self, templates=templates, affine=affine)

    def to(self, where: Any) -> Problem:
        """In another type or on another device."""
        return self.with_tensors(self.templates.to(where), self.affine.to(where))

    def forward(self, owner: Any, dtype: torch.dtype | None = None) -> Tensor:
        size = (self.height, self.width)
        return owner.forward(self.templates, self.affine, *size, dtype or self.affine.dtype)

    def into(self, owner: Any, out: Tensor) -> Tensor:
        owner.into(self.templates, self.affine, out)
        return out

    def backward(self, owner: Any, grad_output: Tensor) -> tuple[Tensor, Tensor]:
        return owner.backward(grad_output, self.templates, self.affine, True, True)


def problem_of(sample: Sample) -> Problem:
    templates, affine, size = sample.args
    return Problem(templates, affine, *((size, size) if isinstance(size, int) else size))


def random_warp(
    seed: int,
    template: tuple[int, int],
    size: tuple[int, int],
    *,
    batch: int = 1,
    count: int = 2,
    dtype: torch.dtype = torch.float32,
    **how: Any,
) -> Problem:
    """Random templates at about the middle of the image, see `random_affine`."""
    templates = torch.rand(count, *template, generator=generator(seed), dtype=torch.float64)
    affine = random_affine(seed, batch, count, template, size, **how)
    return Problem(templates.to(dtype), affine.to(dtype), *size)


def gradient_for(problem: Problem, seed: int = 0, dtype: torch.dtype | None = None) -> Tensor:
    """A random gradient of the image, 0 where rounding may choose other texels."""
    drawn = torch.randn(problem.shape, generator=generator(seed), dtype=torch.float64)
    size = (problem.height, problem.width)
    rows, columns = problem.templates.shape[1:]
    gaps = lattice_gaps(problem.affine.cpu(), (rows, columns), size)
    return (drawn * (gaps > 2e-4)).to(dtype or problem.affine.dtype).to(problem.affine.device)


def assert_as_exact(problem: Problem, owner: Any, dtype: torch.dtype | None = None) -> None:
    """The owner's results err at most 2 (image) and 3 (gradients) times as much as PyTorch's own.

    All are compared with the reference in float64; `dtype` is that of the image.
    """
    dtype = dtype or problem.affine.dtype
    floor = {torch.float64: 1e-13}.get(problem.affine.dtype, 5e-7)
    exact = problem.to(torch.float64)
    truth = exact.forward(reference)
    own = error(problem.forward(owner, dtype), truth)
    assert own <= 2 * error(problem.forward(reference, dtype), truth) + floor
    gradient = gradient_for(problem, dtype=dtype)
    results = [
        exact.backward(reference, gradient.double()),
        problem.backward(owner, gradient),
        problem.backward(reference, gradient),
    ]
    for want, got, plain in zip(*results, strict=True):
        assert error(got, want) <= 3 * error(plain, want) + floor
