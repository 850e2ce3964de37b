"""The CUDA kernels of feature_distance, run on the CPU, against the reference (tests/cuda_on_cpu).

What only a GPU can show is in `test_feature_distance_cuda.py`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fastpose.ops.feature_distance import reference
from fastpose.ops.feature_distance.samples import random_problem, samples
from fastpose.ops.samples import Sample
from tests.cuda_on_cpu.feature_distance import (
    CudaOnCpu,
    Problem,
    assert_as_exact,
    problem_of,
    random_layers,
)

CUDA = CudaOnCpu()
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
LAST = torch.channels_last
# Layers whose numbers fill packs of 16 bytes, whose lines do, and neither.
SHAPES = ((2, 3, 8, 12), (2, 16, 5, 7), (2, 9, 4, 4), (2, 5, 3, 3), (2, 1, 1, 1))


def mask_of(seed: int, height: int, width: int, batch: int = 2) -> Tensor:
    return torch.rand(batch, 1, height, width, generator=torch.Generator().manual_seed(seed))


def moving(layers: int, *, started: bool = True) -> dict[str, Any]:
    mean = torch.linspace(0.5, 2.0, layers)
    return dict(running_mean=mean, started=torch.tensor(started), update=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("call", list(samples(torch.float64)), ids=lambda call: call.name)
def test_samples(call: Sample, dtype: torch.dtype) -> None:
    problem = problem_of(call).to(dtype)
    # Where the mean of a first step cancels the gradient, nothing is left but rounding.
    if call.name != "through_first_mean":
        problem = replace(problem, grad_loss=4096.0)  # float16 holds no small numbers
    assert_as_exact(problem, CUDA)


@pytest.mark.parametrize("seed", range(14))
def test_random_problems(seed: int) -> None:
    problem = problem_of(random_problem(seed, torch.float64)).to(DTYPES[seed % 2])
    assert_as_exact(replace(problem, grad_loss=(1.0, -3.0)[seed % 2]), CUDA)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("norm", ["l2", "l1"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, LAST])
def test_types_and_layouts(
    memory_format: torch.memory_format, dtype: torch.dtype, norm: str, masked: bool
) -> None:
    mask = mask_of(0, 8, 12) if masked else None
    problem = random_layers(0, *SHAPES, mask=mask, norm=norm, grad_loss=512.0).to(dtype)
    problem = problem.with_layers(lambda t: t.contiguous(memory_format=memory_format))
    assert_as_exact(problem, CUDA)
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    more = moving(len(SHAPES))
    more["running_mean"] = more["running_mean"].to(wide)
    assert_as_exact(replace(problem, **more), CUDA)


def test_mixed_types_as_under_autocast() -> None:
    problem = random_layers(1, *SHAPES, mask=mask_of(1, 8, 12), grad_loss=256.0)
    kinds = [torch.float32, torch.bfloat16, torch.float16, torch.bfloat16, torch.float32]
    features, targets = (
        [t.to(k) for t, k in zip(ts, kinds, strict=True)]
        for ts in (problem.features, problem.targets)
    )
    assert_as_exact(replace(problem, features=features, targets=targets), CUDA)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("masked", [False, True])
def test_memory_that_is_not_aligned(dtype: torch.dtype, masked: bool) -> None:
    def shifted(t: Tensor) -> Tensor:
        return F.pad(t.flatten(), (1, 0))[1:].view(t.shape)

    mask = mask_of(2, 8, 12) if masked else None
    plain = random_layers(2, *SHAPES, mask=mask, grad_loss=512.0).to(dtype)
    assert_as_exact(plain.with_layers(shifted), CUDA)
    if plain.mask is not None:
        moved = replace(plain, mask=shifted(plain.mask))
        assert moved.run(CUDA).equals(plain.run(CUDA))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, LAST])
def test_layers_of_many_blocks(memory_format: torch.memory_format, masked: bool) -> None:
    shapes = (1, 40, 33, 37), (1, 3, 16, 16), (1, 64, 16, 16), (1, 65, 16, 17)
    mask = mask_of(3, 33, 37, 1) if masked else None
    problem = random_layers(3, *shapes, mask=mask, **moving(4))
    for dtype in (torch.float32, torch.bfloat16):
        changed = problem.to(dtype).with_layers(lambda t: t.contiguous(memory_format=memory_format))
        assert_as_exact(changed, CUDA)


def test_a_layer_of_more_blocks_than_a_warp_has_lanes() -> None:
    assert_as_exact(random_layers(13, (1, 1, 740, 740), wanted=(False,)), CUDA)


def test_equal_features() -> None:
    for norm in ("l2", "l1"):
        problem = random_layers(14, *SHAPES, norm=norm)
        found = replace(problem, targets=problem.features).run(CUDA)
        assert float(found.loss) == 0.0 and not any(g.any() for g in found.gradients)


@pytest.mark.parametrize("size", [(1, 1), (5, 40), (64, 64), (31, 29), (8, 12), (4, 4)])
@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_mask_of_any_size(size: tuple[int, int], norm: str) -> None:
    """Windows of one pixel, of a few, and of so many that a warp averages them."""
    assert_as_exact(random_layers(4, *SHAPES, mask=mask_of(4, *size), norm=norm), CUDA)


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize("through_mean", [False, True])
def test_steps(started: bool, through_mean: bool) -> None:
    problem = random_layers(5, *SHAPES, **moving(5, started=started), through_mean=through_mean)
    if through_mean and not started:  # all of the gradient cancels
        found = problem.run(CUDA)
        assert max(float(g.abs().max()) for g in found.gradients) < 1e-7
        return
    for _ in range(3):
        assert_as_exact(problem, CUDA)
        found = problem.run(CUDA)
        assert found.started is not None and bool(found.started)
        problem = replace(problem, running_mean=found.running_mean, started=found.started)


def test_flag_may_be_missing_or_not_set() -> None:
    problem = random_layers(6, *SHAPES, **moving(5))
    assert_as_exact(replace(problem, started=None), CUDA)
    still = replace(problem, update=False, started=torch.tensor(False))
    assert_as_exact(still, CUDA)
    assert not still.run(CUDA).started


def test_only_wanted_gradients_are_formed() -> None:
    problem = random_layers(7, *SHAPES, grad_loss=3.0)
    some = replace(problem, wanted=(False, True, False, True, False))
    assert [g.numel() for g in some.run(CUDA).gradients] == [0, 1120, 0, 90, 0]
    assert_as_exact(some, CUDA)


def test_gradient_of_1_is_passed_on_as_it_is() -> None:
    problem = random_layers(8, *SHAPES)
    ones, halves = problem.run(CUDA), replace(problem, grad_loss=0.5).run(CUDA)
    for one, half in zip(ones.gradients, halves.gradients, strict=True):
        assert torch.equal(half, one * 0.5)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_numbers_that_are_not_finite(norm: str, value: float) -> None:
    for more in ({}, dict(mask=mask_of(9, 8, 12)), moving(5)):
        problem = random_layers(9, *SHAPES, norm=norm, **more)
        problem.features[1][1, 3, 2, 5] = value
        found, want = problem.run(CUDA), problem.run(reference)
        for got, expected in zip(found.tensors(), want.tensors(), strict=True):
            torch.testing.assert_close(got, expected, equal_nan=True, rtol=1e-5, atol=1e-7)
        assert not found.loss.isfinite()


def test_mask_of_zeros() -> None:
    problem = random_layers(10, *SHAPES, mask=torch.zeros(2, 1, 8, 12), **moving(5, started=False))
    found = problem.run(CUDA)
    assert float(found.loss) == 0.0 and not any(g.any() for g in found.gradients)
    assert found.running_mean is not None and not found.running_mean.any()


def test_an_empty_batch() -> None:
    problem = random_layers(11, (0, 3, 4, 4), (0, 5, 2, 2), mask=torch.zeros(0, 1, 4, 4))
    found = replace(problem, running_mean=torch.ones(2)).run(CUDA)
    assert float(found.loss) == 0.0 and [g.numel() for g in found.gradients] == [0, 0]


# --- schedules and barriers ----------------------------------------------------------------------


def problem_for_schedules() -> Problem:
    shapes = (2, 3, 16, 16), (2, 40, 21, 11), (2, 16, 1, 1)
    return random_layers(12, *shapes, mask=mask_of(12, 16, 16), grad_loss=2.0, **moving(3))


def test_every_schedule_gives_the_same_bytes() -> None:
    problem = problem_for_schedules()
    first = problem.run(CudaOnCpu(seed=1))
    for seed in range(2, 5):
        assert first.equals(problem.run(CudaOnCpu(seed=seed)))


def test_every_barrier_matters() -> None:
    """Without any one of them some result changes, or a thread waits for ever."""
    problem = problem_for_schedules()
    want = problem.run(CUDA)
    barriers = CUDA.barriers()
    assert len(barriers) == 2
    for barrier in barriers:
        try:
            got = problem.run(CudaOnCpu(removed_barrier=barrier))
        except RuntimeError:
            continue
        assert not want.equals(got), f"{barrier} can be removed"
