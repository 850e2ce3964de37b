"""The CUDA kernels of the pose losses, run on the CPU, against the references
(`tests/cuda_on_cpu`).

What only a GPU can show is in `test_pose_losses_cuda.py`.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from fastpose.ops.samples import Sample, samples_of
from tests.cuda_on_cpu.pose_losses import CudaOnCpu, Reference
from tests.cuda_on_cpu.pose_losses_problems import (
    LOSSES,
    Arguments,
    arguments,
    assert_as_exact,
    changed,
    results,
)

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
CALLS = [
    pytest.param(name, sample, id=f"{name}-{sample.name}")
    for name in LOSSES
    for sample in samples_of(name).samples(torch.float64)
]


def problem(operator: str, seed: int = 0, dtype: torch.dtype = torch.float32) -> Arguments:
    return arguments(operator, samples_of(operator).random_problem(seed, dtype))


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("dtype", DTYPES[:2])
@pytest.mark.parametrize(("loss", "call"), CALLS)
def test_samples(loss: str, call: Sample, dtype: torch.dtype) -> None:
    given = arguments(loss, call.with_tensors(lambda t: t.to(dtype)))
    assert_as_exact(loss, CudaOnCpu(loss), given)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("seed", range(8))
def test_random_problems(loss: str, seed: int) -> None:
    dtype = DTYPES[seed % 4]
    assert_as_exact(loss, CudaOnCpu(loss), problem(loss, seed, dtype))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shift", [1, 2, 3])
def test_numbers_at_any_address(loss: str, dtype: torch.dtype, shift: int) -> None:
    """The same bytes where nothing can be moved 16 bytes at a time."""

    def moved(tensor: Tensor) -> Tensor:
        room = torch.full((tensor.numel() + 16,), torch.nan, dtype=dtype)
        return room[shift : shift + tensor.numel()].view(tensor.shape).copy_(tensor)

    given = problem(loss, 3, dtype)
    owner = CudaOnCpu(loss)
    assert same(results(owner, changed(given, moved)), results(owner, given))


@pytest.mark.parametrize("count", [1, 2, 2047, 2048, 8192, 8193, 20001])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_counts(count: int, dtype: torch.dtype) -> None:
    """Of numbers that a block takes in one turn, or several."""
    scores = torch.randn(count, generator=torch.Generator().manual_seed(0)).to(dtype)
    for more in ([], [scores[:5]]):
        given = ([scores, *more], 1.0)
        assert_as_exact("least_squares_gan", CudaOnCpu("least_squares_gan"), given)


@pytest.mark.parametrize("size", [1, 31, 33, 64, 1023, 1024, 1025, 2100])
@pytest.mark.parametrize("batch", [1, 3, 40])
def test_sizes_of_gaussians(batch: int, size: int) -> None:
    drawn = torch.randn(2, batch, size, generator=torch.Generator().manual_seed(0))
    for free_bits in (0.0, 0.3):
        assert_as_exact("gaussian_kl", CudaOnCpu("gaussian_kl"), (*drawn, free_bits))


@pytest.mark.parametrize("loss", ["anchor_loss", "gaussian_kl"])
@pytest.mark.parametrize("needs", [(True, False), (False, True)])
def test_gradient_of_one_only(loss: str, needs: tuple[bool, bool]) -> None:
    given, owner = problem(loss), CudaOnCpu(loss)
    _, *both = results(owner, given)
    _, *one = results(owner, given, needs)
    for got, full, wanted in zip(one, both, needs, strict=True):
        assert torch.equal(got, full) if wanted else got.numel() == 0


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_a_bad_number_spoils_what_the_reference_says(loss: str, bad: float) -> None:
    def spoiled(tensor: Tensor) -> Tensor:
        tensor = tensor.clone()
        tensor.view(-1)[tensor.numel() // 2] = bad
        return tensor

    given = changed(problem(loss, 2), spoiled)
    own, want = results(CudaOnCpu(loss), given), results(Reference(loss), given)
    for got, expected in zip(own, want, strict=True):
        torch.testing.assert_close(got, expected, equal_nan=True, rtol=1e-4, atol=1e-6)
    assert not own[0].isfinite()


def for_schedules(**how: Any) -> list[Tensor]:
    """Results of all kernels."""
    found = []
    for loss in LOSSES:
        found += results(CudaOnCpu(loss, **how), problem(loss, 5))
    drawn = torch.randn(2, 9, 1100, generator=torch.Generator().manual_seed(0))
    found += results(CudaOnCpu("gaussian_kl", **how), (*drawn, 0.2))
    return [*found, *results(CudaOnCpu("gaussian_kl", **how), (*drawn[:, :, :37], 0.2))]


def test_every_schedule_gives_the_same_bytes() -> None:
    first = for_schedules(seed=1)
    for seed in (2, 3):
        assert same(for_schedules(seed=seed), first)


def test_every_barrier_matters() -> None:
    """Without any one of them some result changes."""
    want = for_schedules()
    barriers = CudaOnCpu(LOSSES[0]).barriers()
    assert len(barriers) == 2
    for barrier in barriers:
        try:
            got = for_schedules(removed_barrier=barrier)
        except RuntimeError:
            continue
        assert any(not torch.equal(a, b) for a, b in zip(want, got, strict=True)), (
            f"{barrier} can be removed"
        )
