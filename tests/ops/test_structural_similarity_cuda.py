"""The GPU owners of structural_similarity on a GPU. Written without one: not yet run.

The generic tests of this folder run on a GPU too; here is what only a GPU has (streams, graphs,
launches, real sizes). What can be seen without one is in
`test_structural_similarity_cuda_on_cpu.py`, `test_structural_similarity_triton.py` and
`test_cuda_machine_code.py`.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from fastpose import ops
from fastpose.ops.registry import OPERATORS
from fastpose.ops.structural_similarity import WINDOWS
from tests.cuda_on_cpu.problems import error
from tests.cuda_on_cpu.similarity_problems import assert_as_exact, results, some_pictures
from tests.cuda_on_cpu.structural_similarity import CudaOnCpu
from tests.ops.gpu_tools import (
    OnGpu,
    Step,
    assert_can_be_captured,
    assert_no_synchronisation,
    assert_same_bytes_on_every_stream,
    assert_works_on_the_current_stream,
    extra_memory,
    kernels_of,
)

pytestmark = pytest.mark.gpu
OPERATOR = "structural_similarity"
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


def on_gpu(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    x, y = some_pictures(*shape, seed=seed, dtype=dtype)
    return x.cuda(), y.cuda()


def step_of(x: Tensor, y: Tensor, backend: str) -> Step:
    """A forward and a backward: values and gradients."""

    def step() -> tuple[Tensor, ...]:
        leaves = [t.detach().requires_grad_() for t in (x, y)]
        value = ops.structural_similarity(*leaves, backend=backend)
        return value.detach(), *torch.autograd.grad(value.sum(), leaves)

    return step


@pytest.mark.parametrize("window", WINDOWS.values())
@pytest.mark.parametrize("dtype", DTYPES)
def test_exact_enough(backend: str, dtype: torch.dtype, window: int) -> None:
    assert_as_exact(OnGpu(OPERATOR, backend), *some_pictures(2, 3, 256, 256, dtype=dtype), window)


@pytest.mark.parametrize("size", [(11, 11), (97, 131), (300, 40), (12, 1000), (1000, 13), (64, 33)])
@pytest.mark.parametrize("window", WINDOWS.values())
def test_other_shapes(backend: str, size: tuple[int, int], window: int) -> None:
    assert_as_exact(OnGpu(OPERATOR, backend), *some_pictures(3, 2, *size), window)


def test_same_as_the_kernels_on_the_cpu() -> None:
    """What the tests without a GPU check is what runs on one, but for approximate functions."""
    x, y = some_pictures(2, 3, 48, 64)
    found, wanted = results(OnGpu(OPERATOR, "cuda"), x, y), results(CudaOnCpu(), x, y)
    assert all(error(a, b) < 2e-5 for a, b in zip(found, wanted, strict=True))


def test_equal_images(backend: str) -> None:
    x, _ = on_gpu(4, 3, 100, 100)
    value, by_x, by_y = step_of(x, x.clone(), backend)()
    assert error(value, torch.ones(4)) < 1e-6
    assert by_x.abs().max() < 1e-6 and by_y.abs().max() < 1e-6


def test_streams_graphs_and_synchronisation(backend: str) -> None:
    x, y = on_gpu(8, 3, 128, 128)
    step = step_of(x, y, backend)
    assert_no_synchronisation(step)
    assert_same_bytes_on_every_stream(step)
    assert_works_on_the_current_stream(step, x)
    others = [on_gpu(8, 3, 128, 128, seed=seed)[0] for seed in range(1, 4)]
    assert_can_be_captured(step, x, others)


def test_launches() -> None:
    """Two forward, and one backward for each image."""
    x, y = on_gpu(8, 3, 128, 128)
    names = kernels_of(lambda: ops.structural_similarity(x, y))
    assert len(names) == 2 and all(OPERATOR in name for name in names)
    kernel = OPERATORS[OPERATOR].kernel("cuda", "backward")
    weights = torch.ones(8, device="cuda")
    for slopes in ((x, y), (x.mT, y.mT)):
        names = kernels_of(lambda s=slopes: kernel(weights, *s, 0, 1.0, True, False))
        assert len(names) == 1 and f"{OPERATOR}_backward" in names[0]


def test_memory() -> None:
    """Kept for the backward is what is as large as the image that it is for; else almost nothing is
    allocated."""
    x, y = on_gpu(16, 3, 256, 256)
    size = x.numel() * x.element_size()
    assert extra_memory(lambda: ops.structural_similarity(x, y)) <= 1 << 20
    x.requires_grad_()
    assert extra_memory(lambda: ops.structural_similarity(x, y)) <= size + (1 << 20)
    value = ops.structural_similarity(x, y)
    grad = torch.ones_like(value)
    assert extra_memory(lambda: torch.autograd.grad(value, x, grad)) <= size + (1 << 20)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_same_bytes_in_every_layout(memory_format: torch.memory_format) -> None:
    x, y = on_gpu(4, 3, 100, 132)
    want = step_of(x, y, "cuda")()
    moved = (t.contiguous(memory_format=memory_format) for t in (x, y))
    assert all(torch.equal(a, b) for a, b in zip(step_of(*moved, "cuda")(), want, strict=True))


def test_an_image_of_many_pixels(backend: str) -> None:
    """More than 2^30 of them: addresses need 64 bits."""
    x, y = (t.bfloat16().repeat(1, 1, 512, 544) for t in on_gpu(1, 1, 64, 64))
    assert x.numel() > 2**30
    value = ops.structural_similarity(x, y, backend=backend)
    part = ops.structural_similarity(x[:, :, :2048], y[:, :, :2048], backend=backend)
    assert error(value, part) < 1e-2


def test_the_library_serves_the_gpu() -> None:
    assert OPERATORS[OPERATOR].owner("cuda") == "cuda"


def test_compiled() -> None:
    x, y = on_gpu(4, 3, 64, 64)

    def loss(x: Tensor) -> Tensor:
        return 1 - ops.structural_similarity(x, y).mean()

    x.requires_grad_()
    (own,) = torch.autograd.grad(torch.compile(loss, fullgraph=True)(x), x)
    (want,) = torch.autograd.grad(loss(x), x)
    assert error(own, want) < 1e-6
