"""The GPU owners of soft_argmax on a GPU. Written without one: not yet run.

The generic tests of this folder run on a GPU too; here is what only a GPU has (streams, graphs,
launches, its approximate functions at real sizes). What can be seen without one is in
`test_soft_argmax_cuda_on_cpu.py`, `test_soft_argmax_triton.py` and `test_cuda_machine_code.py`.
"""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import Tensor

from fastpose import ops
from fastpose.ops.registry import OPERATORS
from tests.cuda_on_cpu.problems import error
from tests.cuda_on_cpu.soft_argmax import CudaOnCpu, assert_as_exact, everything, random_maps
from tests.ops.gpu_tools import (
    OnGpu,
    Step,
    assert_can_be_captured,
    assert_no_synchronisation,
    assert_same_bytes_on_every_stream,
    assert_works_on_the_current_stream,
    equal,
    extra_memory,
    kernels_of,
)

pytestmark = pytest.mark.gpu
Mode = Literal["marginal", "joint"]
MODES: tuple[Mode, ...] = ("marginal", "joint")
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


def some_logits(batch: int = 16, size: int = 64, seed: int = 0, last: bool = False) -> Tensor:
    return random_maps(seed, (batch, 17, size, size), channels_last=last).logits.cuda()


def step_of(logits: Tensor, backend: str, mode: Mode) -> Step:
    """A forward and a backward: points, confidence and gradient."""

    def step() -> tuple[Tensor, ...]:
        leaf = logits.detach().requires_grad_()
        points, confidence = ops.soft_argmax(leaf, mode=mode, backend=backend)
        loss = points.square().sum() + confidence.sum()
        return points.detach(), confidence.detach(), *torch.autograd.grad(loss, leaf)

    return step


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("size", [(16, 16), (64, 64), (128, 128), (97, 131), (256, 256)])
def test_exact_enough(
    backend: str, dtype: torch.dtype, joint: bool, channels_last: bool, size: tuple[int, int]
) -> None:
    problem = random_maps(
        1, (2, 17, *size), joint=joint, dtype=dtype, channels_last=channels_last, extent=1.5
    )
    assert_as_exact(problem, OnGpu("soft_argmax", backend))


@pytest.mark.parametrize("joint", [False, True])
def test_same_as_the_kernels_on_the_cpu(joint: bool) -> None:
    """What the tests without a GPU check is what runs on one, but for approximate functions."""
    problem = random_maps(3, (1, 3, 40, 72), joint=joint)
    own = everything(problem, OnGpu("soft_argmax", "cuda"))
    want = everything(problem, CudaOnCpu())
    assert all(error(a, b) < 2e-5 for a, b in zip(own, want, strict=True))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("last", [False, True])
def test_streams_graphs_and_synchronisation(backend: str, mode: Mode, last: bool) -> None:
    logits = some_logits(last=last)
    step = step_of(logits, backend, mode)
    assert_no_synchronisation(step)
    assert_same_bytes_on_every_stream(step)
    assert_works_on_the_current_stream(step, logits)
    others = [some_logits(seed=seed, last=last) for seed in range(1, 4)]
    assert_can_be_captured(step, logits, others)


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("last", [False, True])
def test_launches(joint: bool, last: bool) -> None:
    """One forward, one backward, and nothing else of anybody's."""
    problem = random_maps(4, (16, 17, 64, 64), joint=joint, channels_last=last)
    logits, grad = problem.logits.cuda(), torch.ones(16, 17, 2, device="cuda")
    operator = OPERATORS["soft_argmax"]
    forward, backward = (operator.kernel("cuda", role) for role in ("forward", "backward"))
    kept = forward(logits, *problem.options)[2]
    names = kernels_of(lambda: forward(logits, *problem.options))
    assert len(names) == 1 and "soft_argmax_forward_kernel" in names[0]
    given = logits if joint else None
    names = kernels_of(lambda: backward(grad, None, given, kept, *problem.options))
    assert len(names) == 1 and "soft_argmax_backward_kernel" in names[0]


@pytest.mark.parametrize("mode", MODES)
def test_memory(mode: Mode) -> None:
    """Beside the gradient nothing as large as a map is allocated or kept."""
    logits = some_logits(16, 256).requires_grad_()
    size = logits.numel() * logits.element_size()
    assert extra_memory(lambda: ops.soft_argmax(logits, mode=mode)) <= 0.02 * size
    loss = ops.soft_argmax(logits, mode=mode)[0].sum()
    assert extra_memory(lambda: torch.autograd.grad(loss, logits)) <= 1.03 * size


def test_as_many_numbers_as_allowed(backend: str) -> None:
    """Almost 2^31 of them: addresses need 64 bits."""
    logits = torch.zeros(1, 2, 32767, 32760, device="cuda", dtype=torch.bfloat16)
    logits[0, 1, -1, -1] = logits[0, 0, 0, -1] = 3e4
    points, _ = ops.soft_argmax(logits, mode="joint", backend=backend)
    assert points[0].cpu().tolist() == [pytest.approx([1, -1]), pytest.approx([1, 1])]


def test_compiled() -> None:
    def loss(logits: Tensor) -> Tensor:
        points, confidence = ops.soft_argmax(logits)
        return points.square().sum() + confidence.sum()

    logits = some_logits(4).requires_grad_()
    (own,) = torch.autograd.grad(torch.compile(loss, fullgraph=True)(logits), logits)
    (want,) = torch.autograd.grad(loss(logits), logits)
    assert error(own, want) < 1e-6


def test_another_device() -> None:
    if torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    logits = some_logits(2)
    here = step_of(logits, "cuda", "joint")()
    there = step_of(logits.to("cuda:1"), "cuda", "joint")()
    assert there[0].device.index == 1
    assert equal(here, tuple(t.to(here[0].device) for t in there))
