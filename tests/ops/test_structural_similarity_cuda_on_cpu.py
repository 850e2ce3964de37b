"""The CUDA kernels of structural_similarity, run on the CPU, against the reference
(`tests/cuda_on_cpu`).

What only a GPU can show is in `test_structural_similarity_cuda.py`.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from fastpose.ops.samples import Sample
from fastpose.ops.structural_similarity import WINDOWS, reference
from fastpose.ops.structural_similarity.samples import random_problem, samples
from tests.cuda_on_cpu.layouts import layouts
from tests.cuda_on_cpu.problems import error
from tests.cuda_on_cpu.similarity_problems import (
    Results,
    arguments,
    assert_as_exact,
    results,
    some_pictures,
)
from tests.cuda_on_cpu.structural_similarity import CudaOnCpu

CUDA = CudaOnCpu()
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


def same(a: Results, b: Results) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("dtype", DTYPES[:2])
@pytest.mark.parametrize("call", list(samples(torch.float64)), ids=lambda call: call.name)
def test_samples(call: Sample, dtype: torch.dtype) -> None:
    if call.name == "equal":
        pytest.skip("has no gradient: see test_equal_images")
    assert_as_exact(CUDA, *arguments(call.with_tensors(lambda t: t.to(dtype))))


@pytest.mark.parametrize("seed", range(8))
def test_random_problems(seed: int) -> None:
    assert_as_exact(CUDA, *arguments(random_problem(seed, DTYPES[seed % 2])))


@pytest.mark.parametrize("window", WINDOWS.values())
@pytest.mark.parametrize("size", [(11, 11), (32, 32), (33, 64), (12, 100), (75, 13)])
@pytest.mark.parametrize("dtype", DTYPES[:2])
def test_sizes(size: tuple[int, int], window: int, dtype: torch.dtype) -> None:
    assert_as_exact(CUDA, *some_pictures(2, 2, *size, dtype=dtype), window)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [36, 35])
@pytest.mark.parametrize("window", WINDOWS.values())
def test_types(dtype: torch.dtype, width: int, window: int) -> None:
    """Of images whose rows are read four pixels at a time, and others."""
    assert_as_exact(CUDA, *some_pictures(2, 3, 20, width, dtype=dtype), window)


@pytest.mark.parametrize("dtype", DTYPES[:2])
def test_equal_images(dtype: torch.dtype) -> None:
    x, _ = some_pictures(2, 1, 20, 36, dtype=dtype)
    value, by_x, by_y = results(CUDA, x, x.clone())
    assert (value == 1).all() and not by_x.any() and not by_y.any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", layouts((1, 1, 1, 1), torch.float32))
def test_layouts(layout: str, dtype: torch.dtype) -> None:
    """The same bytes however the images lie."""
    x, y = some_pictures(2, 3, 19, 32, dtype=dtype)
    want = results(CUDA, x, y)
    moved = layouts((2, 3, 19, 32), dtype)[layout].copy_(x)
    assert same(results(CUDA, moved, y), want)
    assert same(results(CUDA, y, moved), (want[0], want[2], want[1]))


@pytest.mark.parametrize("window", WINDOWS.values())
@pytest.mark.parametrize("dtype", DTYPES[:2])
def test_only_what_is_wanted(window: int, dtype: torch.dtype) -> None:
    """The same bytes with both gradients, one, or none."""
    x, y = some_pictures(2, 2, 35, 44, dtype=dtype)
    value, by_x, by_y = results(CUDA, x, y, window)
    for wanted in ((True, False), (False, True), (False, False)):
        got = results(CUDA, x, y, window, wanted=wanted)
        assert torch.equal(got[0], value)
        for grad, full, kept in zip(got[1:], (by_x, by_y), wanted, strict=True):
            assert torch.equal(grad, full) if kept else grad.numel() == 0


@pytest.mark.parametrize("window", WINDOWS.values())
@pytest.mark.parametrize("place", [(0, 0), (16, 16), (31, 32), (39, 43)])
@pytest.mark.parametrize("bad", [torch.nan, torch.inf, 1e30])
def test_a_bad_pixel_reaches_as_far_as_its_windows(
    window: int, place: tuple[int, int], bad: float
) -> None:
    x, y = some_pictures(2, 1, 40, 44)
    want = results(CUDA, x, y, window)
    x[1, 0, place[0], place[1]] = bad
    value, *gradients = results(CUDA, x, y, window)
    assert value[1].isnan() and value[0] == want[0][0]
    reach, near = reference.SIDE[window] - 1, torch.zeros(x.shape, dtype=torch.bool)
    rows = slice(max(0, place[0] - reach), place[0] + reach + 1)
    near[1, 0, rows, max(0, place[1] - reach) : place[1] + reach + 1] = True
    for got, plain in zip(gradients, want[1:], strict=True):
        assert got[near].isnan().all()
        assert error(got[~near], plain[~near]) < 1e-4


def test_gradients_of_images_that_lie_in_no_usual_order() -> None:
    """The slopes that arrive need not be those that the forward made."""
    slope = torch.randn(3, 2, 12, 14, generator=torch.Generator().manual_seed(0))
    weights = torch.tensor([1.0, -2.0, 0.5])
    want = reference.backward(weights, slope, slope, 0, 1.0, True, False)[0]
    for moved in (slope, slope.mT.contiguous().mT, slope.movedim(0, 3).contiguous().movedim(3, 0)):
        grad, none = CUDA.backward(weights, moved, slope, 0, 1.0, True, False)
        assert error(grad, want) < 1e-6 and none.numel() == 0
    expanded = torch.ones(()).expand(3)
    got = CUDA.backward(expanded, slope, slope, 0, 1.0, True, True)
    want = CUDA.backward(torch.ones(3), slope, slope, 0, 1.0, True, True)
    assert torch.equal(got[0], want[0]) and torch.equal(got[1], want[1])


def for_schedules(owner: CudaOnCpu) -> list[Tensor]:
    """Results of all kernels of one type."""
    x, y = some_pictures(1, 2, 34, 44)
    found = [*results(owner, x, y), *results(owner, x, y, 1, wanted=(False, False))]
    return [*found, *results(owner, x.mT, y.mT, 1)]


def test_every_schedule_gives_the_same_bytes() -> None:
    first = for_schedules(CudaOnCpu(seed=1))
    for seed in (2, 3):
        again = for_schedules(CudaOnCpu(seed=seed))
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_every_barrier_matters() -> None:
    """Without any one of them some result changes."""
    want = for_schedules(CUDA)
    barriers = CUDA.barriers()
    assert len(barriers) == 4
    for barrier in barriers:
        try:
            got = for_schedules(CudaOnCpu(removed_barrier=barrier))
        except RuntimeError:
            continue
        differ = [not torch.equal(a, b) for a, b in zip(want, got, strict=True)]
        assert any(differ), f"{barrier} can be removed"


def test_batch_does_not_matter() -> None:
    """An image and its gradient have the same bytes alone and among others."""
    x, y = some_pictures(3, 2, 40, 36)
    values, slope, _ = CUDA.forward(x, y, 0, 1.0, False, True, False)
    value, own, _ = CUDA.forward(x[2:], y[2:], 0, 1.0, False, True, False)
    assert torch.equal(value, values[2:]) and torch.equal(own, slope[2:])


def test_empty_batch() -> None:
    value, by_x, by_y = results(CUDA, *some_pictures(0, 3, 12, 12))
    assert value.shape == (0,) and by_x.shape == by_y.shape == (0, 3, 12, 12)
