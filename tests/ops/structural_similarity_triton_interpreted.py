"""Tests of the Triton kernels of structural_similarity in Triton's interpreter;
`test_structural_similarity_triton.py` runs them."""

from __future__ import annotations

import pytest
import torch

from fastpose import ops
from fastpose.ops.structural_similarity import WINDOWS, reference
from fastpose.ops.structural_similarity import triton as kernels
from fastpose.ops.structural_similarity.samples import samples
from tests.cuda_on_cpu.problems import error
from tests.cuda_on_cpu.similarity_problems import (
    arguments,
    assert_as_exact,
    results,
    some_pictures,
)

SAMPLES = {call.name: call for call in samples(torch.float64)}


@pytest.mark.parametrize(
    "name",
    ["few_windows", "one_uniform_window", "uniform_population", "gaussian_sample", "bytes",
     "below_zero", "empty_batch"],
)  # fmt: skip
def test_samples(name: str) -> None:
    assert_as_exact(kernels, *arguments(SAMPLES[name]))


@pytest.mark.parametrize("window", WINDOWS.values())
def test_float32(window: int) -> None:
    assert_as_exact(kernels, *some_pictures(2, 2, 17, 23), window)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_types(dtype: torch.dtype) -> None:
    assert_as_exact(kernels, *some_pictures(2, 1, 13, 15, dtype=dtype))


def test_equal_images() -> None:
    x, _ = some_pictures(2, 1, 12, 13)
    value, by_x, by_y = results(kernels, x, x.clone())
    assert error(value, torch.ones(2)) < 1e-6 and max(by_x.abs().max(), by_y.abs().max()) < 1e-6


def test_strides() -> None:
    x, y = some_pictures(2, 2, 8, 9)
    want = results(kernels, x, y, 1)
    for moved in (
        x.contiguous(memory_format=torch.channels_last),
        torch.nn.functional.pad(x, (1, 2))[..., 1:-2].mT.contiguous().mT,
    ):
        got = results(kernels, moved, y, 1)
        assert all(torch.equal(a, b) for a, b in zip(got, want, strict=True))
    weights = torch.ones(()).expand(2)
    (got, none) = kernels.backward(weights, x.mT.contiguous().mT, x, 1, 1.0, True, False)
    (exact, _) = reference.backward(weights, x, x, 1, 1.0, True, False)
    assert error(got, exact) < 1e-6 and none.numel() == 0


def test_only_what_is_wanted() -> None:
    x, y = some_pictures(2, 1, 8, 9)
    value, by_x, by_y = results(kernels, x, y, 1)
    for wanted in ((True, False), (False, True), (False, False)):
        got = results(kernels, x, y, 1, wanted=wanted)
        assert torch.equal(got[0], value)
        for grad, full, kept in zip(got[1:], (by_x, by_y), wanted, strict=True):
            assert torch.equal(grad, full) if kept else grad.numel() == 0


@pytest.mark.parametrize("bad", [torch.nan, 1e30])
def test_a_bad_pixel_reaches_as_far_as_its_windows(bad: float) -> None:
    x, y = some_pictures(2, 1, 16, 15)
    want = results(kernels, x, y, 1)
    x[1, 0, 7, 8] = bad
    value, *gradients = results(kernels, x, y, 1)
    assert value[1].isnan() and torch.equal(value[0], want[0][0])
    near = torch.zeros(x.shape, dtype=torch.bool)
    near[1, 0, 1:14, 2:15] = True
    for got, plain in zip(gradients, want[1:], strict=True):
        assert got[near].isnan().all()
        assert error(got[~near], plain[~near]) < 1e-4


def test_through_the_public_function() -> None:
    found = []
    for backend in ("triton", "reference"):
        leaves = [t.requires_grad_() for t in some_pictures(2, 2, 12, 13)]
        value = ops.structural_similarity(*leaves, window="uniform", backend=backend)
        found.append(torch.autograd.grad((1 - value).sum(), leaves))
    for own, want in zip(*found, strict=True):
        assert error(own, want) < 1e-5
