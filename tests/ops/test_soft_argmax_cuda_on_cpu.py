"""The CUDA kernels of soft_argmax, run on the CPU, against the reference (`tests/cuda_on_cpu`).

What only a GPU can show is in `test_soft_argmax_cuda.py`.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from fastpose.ops.samples import Sample
from fastpose.ops.soft_argmax import reference
from fastpose.ops.soft_argmax.samples import random_problem, samples
from tests.cuda_on_cpu.layouts import layouts
from tests.cuda_on_cpu.soft_argmax import (
    CudaOnCpu,
    Problem,
    assert_as_exact,
    everything,
    gradients_for,
    problem_of,
    random_maps,
)

CUDA = CudaOnCpu()
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
SIZES = [(1, 1), (16, 16), (5, 7), (1, 40), (40, 1), (33, 24), (9, 136), (150, 8), (64, 64)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("call", list(samples(torch.float64)), ids=lambda call: call.name)
def test_samples(call: Sample, dtype: torch.dtype) -> None:
    problem = problem_of(call)
    assert_as_exact(problem.with_logits(problem.logits.to(dtype)), CUDA)


@pytest.mark.parametrize("seed", range(16))
def test_random_problems(seed: int) -> None:
    assert_as_exact(problem_of(random_problem(seed, DTYPES[seed % 4])), CUDA)


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
def test_sizes_and_types(
    size: tuple[int, int], dtype: torch.dtype, channels_last: bool, joint: bool
) -> None:
    shape = (2, 3, *size)
    problem = random_maps(1, shape, joint=joint, dtype=dtype, channels_last=channels_last)
    assert_as_exact(problem, CUDA)


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("maps", [1, 2, 5, 7, 8, 9, 16, 17, 30])
def test_numbers_of_interleaved_maps(maps: int, joint: bool) -> None:
    assert_as_exact(random_maps(2, (2, maps, 6, 10), joint=joint, channels_last=True), CUDA)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("maps", "side"), [(1, 4500), (3, 1400)])
def test_sides_longer_than_shared_memory(maps: int, side: int, turned: bool) -> None:
    height, width = (side, 2) if turned else (2, side)
    assert_as_exact(random_maps(3, (1, maps, height, width), channels_last=maps > 1), CUDA)


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize(("maps", "channels_last"), [(1, False), (2, True)])
@pytest.mark.parametrize("width", [130, 136])
def test_more_rows_than_a_block_takes_at_once(
    width: int, maps: int, channels_last: bool, joint: bool
) -> None:
    """So that threads meet larger logits than those they have already summed up."""
    shape = (1, maps, 150, width)
    assert_as_exact(random_maps(12, shape, joint=joint, channels_last=channels_last), CUDA)


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", layouts((1, 1, 1, 1), torch.float32))
def test_layouts(layout: str, dtype: torch.dtype, joint: bool) -> None:
    shape = (2, 5, 11, 16)
    problem = random_maps(4, shape, joint=joint, dtype=dtype)
    logits = layouts(shape, dtype)[layout].copy_(problem.logits)
    assert_as_exact(problem.with_logits(logits), CUDA)


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("channels_last", [False, True])
def test_gradients_of_any_strides_and_none(channels_last: bool, joint: bool) -> None:
    problem = random_maps(5, (3, 4, 9, 12), joint=joint, channels_last=channels_last)
    one = torch.tensor([0.5, -2.0]).expand(3, 4, 2)
    turned = torch.ones(4, 3).t() * 3
    want = problem.backward(CUDA, one.contiguous(), turned.contiguous())
    assert torch.equal(problem.backward(CUDA, one, turned), want)
    nothing = torch.zeros(3, 4, 2), torch.zeros(3, 4)
    for points, confidence in ((one, None), (None, turned), (None, None)):
        given = nothing[0] if points is None else points
        sure = nothing[1] if confidence is None else confidence
        found = problem.backward(CUDA, points, confidence)
        assert torch.equal(found, problem.backward(CUDA, given, sure))


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_logits_that_are_not_finite(value: float, channels_last: bool, joint: bool) -> None:
    """As in the reference: in their own map, and nowhere else."""
    problem = random_maps(6, (1, 5, 18, 20), joint=joint, channels_last=channels_last)
    problem.logits[0, 1, 7, 13] = value
    problem.logits[0, 3] = -torch.inf
    own, want = everything(problem, CUDA), everything(problem, reference)
    for found, expected in zip(own, want, strict=True):
        torch.testing.assert_close(found, expected, equal_nan=True, rtol=1e-4, atol=1e-5)
        assert found[0, 3].isnan().all()
        assert bool(found[0, 1].isnan().all()) == (value != -torch.inf)


@pytest.mark.parametrize("level", [-3e38, 3e38])
@pytest.mark.parametrize("joint", [False, True])
def test_large_logits(level: float, joint: bool) -> None:
    problem = random_maps(7, (1, 2, 12, 20), joint=joint)
    flat = everything(problem.with_logits(problem.logits * 0), CUDA)
    large = everything(problem.with_logits(problem.logits * 0 + level), CUDA)
    for found, expected in zip(large, flat, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("width", [19, 20, 300])
def test_first_of_equal_largest_logits(width: int, channels_last: bool) -> None:
    """Row by row, whichever threads hold them."""
    problem = random_maps(8, (1, 3, 20, width), joint=True, channels_last=channels_last)
    problem.logits.clamp_(max=20)
    for place in ((18, 2), (17, width - 1), (17, width // 2), (19, 0)):
        problem.logits[0, 1][place] = 30.0
    problem.logits[0, 2] = 1.5
    kept = problem.forward(CUDA)[2]
    assert kept[0, 1, 4:].tolist() == [width // 2, 17]
    assert kept[0, 2, 4:].tolist() == [0, 0]
    gradient = problem.backward(CUDA, None, torch.ones(1, 3))
    assert (gradient[0, 1] > 0).nonzero().tolist() == [[17, width // 2]]
    assert (gradient[0, 2] > 0).nonzero().tolist() == [[0, 0]]


@pytest.mark.parametrize("channels_last", [False, True])
def test_first_of_equal_largest_weights(channels_last: bool) -> None:
    logits = torch.zeros(1, 3, 40, 37)
    logits[0, 1, 33, 6] = logits[0, 1, 35, 11] = 40.0
    form = torch.channels_last if channels_last else torch.contiguous_format
    problem = Problem(logits.contiguous(memory_format=form))
    gradient = problem.backward(CUDA, None, torch.ones(1, 3))
    want = problem.backward(reference, None, torch.ones(1, 3))
    torch.testing.assert_close(gradient, want, rtol=1e-5, atol=1e-8)
    assert (gradient[0, 1].sum(0).argmax(), gradient[0, 1].sum(1).argmax()) == (6, 33)


def for_schedules() -> list[Problem]:
    """Together they use every barrier: several warps, several chunks of columns."""
    return [
        random_maps(9, (1, 3, 40, width), joint=joint, channels_last=channels_last)
        for width, joint, channels_last in (
            (300, False, False),
            (100, False, False),
            (300, True, False),
            (37, False, True),
            (37, True, True),
        )
    ]


def results(owner: CudaOnCpu) -> list[Tensor]:
    return [result for problem in for_schedules() for result in everything(problem, owner)]


def equal(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_every_schedule_gives_the_same_bytes() -> None:
    first = results(CudaOnCpu(seed=1))
    for seed in range(2, 5):
        assert equal(first, results(CudaOnCpu(seed=seed)))


def breaks(barrier: str, seed: int, want: list[Tensor]) -> bool:
    """Whether that schedule shows that the barrier is missing."""
    try:
        return not equal(want, results(CudaOnCpu(seed=seed, removed_barrier=barrier)))
    except RuntimeError:
        return True


def test_every_barrier_matters() -> None:
    """Without any one of them some result changes, or a thread waits for ever."""
    want = results(CUDA)
    barriers = CUDA.barriers()
    assert len(barriers) == 6
    for barrier in barriers:
        assert any(breaks(barrier, seed, want) for seed in range(4)), f"{barrier} can be removed"


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("channels_last", [False, True])
def test_batch_does_not_matter(channels_last: bool, joint: bool) -> None:
    """A map has the same bytes alone and among others."""
    problem = random_maps(10, (3, 9, 21, 30), joint=joint, channels_last=channels_last)
    points, confidence = gradients_for(problem)
    alone = problem.with_logits(problem.logits[2:])
    for own, among_others in zip(alone.forward(CUDA), problem.forward(CUDA), strict=True):
        assert torch.equal(own, among_others[2:])
    gradient = alone.backward(CUDA, points[2:], confidence[2:])
    assert torch.equal(gradient, problem.backward(CUDA, points, confidence)[2:])


def test_empty_batch_and_no_maps() -> None:
    for shape in ((0, 3, 4, 5), (2, 0, 4, 5)):
        for joint in (False, True):
            problem = random_maps(11, shape, joint=joint)
            points, confidence, gradient = everything(problem, CUDA)
            assert points.shape == (*shape[:2], 2) and confidence.shape == shape[:2]
            assert gradient.shape == shape
