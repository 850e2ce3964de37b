"""The tool that runs CUDA kernels on the CPU finds what it is there to find."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
import torch

from tests.cuda_on_cpu.build import library

THREADS = 96


def run(
    name: str, size: int, *, blocks: int = 1, seed: int = 0, barriers: bool = True
) -> np.ndarray:
    """What the kernel wrote; RuntimeError where the tool refuses the program."""
    tool = library("tool")
    tool.run_kernel.restype = ctypes.c_char_p
    result = np.zeros(size, np.int32)
    message = tool.run_kernel(
        name.encode(),
        result.ctypes.data_as(ctypes.c_void_p),
        blocks,
        ctypes.c_uint64(seed),
        barriers,
    )
    if message is not None:
        raise RuntimeError(message.decode())
    return result


@pytest.mark.parametrize("seed", range(4))
def test_block_sum(seed: int) -> None:
    assert run("block_sum", 5, blocks=5, seed=seed).tolist() == [THREADS * (THREADS + 1) // 2] * 5


@pytest.mark.parametrize("seed", range(4))
def test_warp_rotation(seed: int) -> None:
    threads = np.arange(THREADS)
    assert np.array_equal(
        run("warp_rotation", THREADS, seed=seed), threads // 32 * 32 + (threads + 1) % 32
    )


@pytest.mark.parametrize("name", ["block_sum", "warp_rotation"])
@pytest.mark.parametrize("seed", range(4))
def test_missing_barrier_shows(name: str, seed: int) -> None:
    right = run(name, THREADS, seed=seed)
    assert not np.array_equal(run(name, THREADS, seed=seed, barriers=False), right)


def test_warp_operations() -> None:
    got = run("warp_operations", THREADS * 4).reshape(-1, 32, 4)
    lanes = np.arange(32)
    for warp in range(THREADS // 32):
        assert (got[warp, :, 0] == warp * 32 + 5).all()
        assert np.array_equal(got[warp, :, 1], lanes ^ 3)
        assert (got[warp, :, 2] == 0x55555555).all()
        assert (got[warp, :, 3] == 100).all()


def test_every_thread_of_a_grid_runs_once() -> None:
    got = run("indices", 3 * 2 * 2 * 64, blocks=2).reshape(2, 6, 64)
    assert (got[0] == 1).all() and (got[1] == 2).all()


def test_schedules_differ_with_the_seed() -> None:
    wrong = [run("warp_rotation", THREADS, seed=s) for s in range(2)]
    assert np.array_equal(*wrong)
    wrong = [run("warp_rotation", THREADS, seed=s, barriers=False) for s in range(2)]
    assert not np.array_equal(*wrong)


def test_shared_memory_is_not_a_number_at_first() -> None:
    run("block_sum", 1)
    assert np.isnan(run("unwritten", THREADS, blocks=2).view(np.float32)).all()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("half_of_a_barrier", "48 of 96 threads of a block wait for ever in line"),
        ("two_barriers", "96 of 96 threads of a block wait for ever in line"),
        ("diverged_warp", "lanes of a warp diverged"),
        ("half_a_warp", "48 of 96 threads of a block wait for ever in line"),
        ("part_mask", "only full warps are supported"),
        ("write_behind", "a write behind the shared memory"),
        ("misaligned_store", "a misaligned access"),
        ("odd_block", "a block must have 32, 64, ... 1024 threads"),
        ("no_grid", "the grid is empty or too large"),
        ("much_shared", "too much shared memory"),
    ],
)
def test_wrong_programs_are_refused(name: str, message: str) -> None:
    with pytest.raises(RuntimeError, match=message.replace(".", r"\.")):
        run(name, THREADS)
    test_block_sum(0)  # and the next program runs


def test_small_floating_point_types() -> None:
    tool = library("tool")
    tool.to_bfloat16.argtypes = tool.through_half.argtypes = [ctypes.c_float]
    tool.to_bfloat16.restype = ctypes.c_uint16
    tool.through_half.restype = tool.rounded_up.restype = ctypes.c_float
    tool.rounded_up.argtypes = [ctypes.c_double]
    values = torch.randn(1000, generator=torch.Generator().manual_seed(0)).exp()
    values = torch.cat([values, torch.tensor([0.0, -0.0, 1.0, 3.0e38, torch.inf, 1e-40])])
    for value in values.tolist():
        bits = torch.tensor(value).bfloat16().view(torch.uint16).item()
        assert tool.to_bfloat16(value) == bits
        assert tool.through_half(value) == torch.tensor(value).half().item()
        exact = value * (1 + 1e-9)
        above = tool.rounded_up(exact)
        below = float(np.nextafter(np.float32(above), np.float32(0)))
        assert (below < exact or value == 0) and above >= exact
    assert tool.to_bfloat16(float("nan")) & 0x7FFF > 0x7F80
