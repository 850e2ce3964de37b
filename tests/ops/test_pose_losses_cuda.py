"""The GPU owners of the pose losses on a GPU. Written without one: not yet run.

The generic tests of this folder run on a GPU too; here is what only a GPU has (streams, graphs,
launches, real sizes). What can be seen without one is in `test_pose_losses_cuda_on_cpu.py` and
`test_cuda_machine_code.py`.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from fastpose import ops
from fastpose.ops.registry import OPERATORS
from fastpose.ops.samples import Sample, samples_of
from tests.cuda_on_cpu.pose_losses import CudaOnCpu
from tests.cuda_on_cpu.pose_losses_problems import (
    LOSSES,
    Arguments,
    arguments,
    assert_as_exact,
    changed,
    results,
)
from tests.ops.gpu_tools import (
    Step,
    assert_can_be_captured,
    assert_no_synchronisation,
    assert_same_bytes_on_every_stream,
    assert_works_on_the_current_stream,
    extra_memory,
    kernels_of,
)

pytestmark = pytest.mark.gpu
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


class OnGpu:
    """One owner of a loss, for tensors on the CPU: they go to the GPU and back."""

    def __init__(self, loss: str, backend: str) -> None:
        self.loss, self.backend = loss, backend

    def forward(self, *args: object) -> object:
        return self._run("forward", args)

    def backward(self, *args: object) -> object:
        return self._run("backward", args)

    def _run(self, role: str, args: Arguments) -> object:
        result = OPERATORS[self.loss].kernel(self.backend, role)(*changed(args, Tensor.cuda))
        if isinstance(result, tuple):
            return tuple(t.cpu() for t in result)
        return changed((result,), Tensor.cpu)[0]


def large(loss: str, seed: int = 0, dtype: torch.dtype = torch.float32) -> Sample:
    """The call of a training step, on the GPU."""
    source = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=source).to("cuda", dtype)

    if loss == "least_squares_gan":
        return Sample(loss, ([drawn(64, 1, side, side) for side in (14, 6, 2)], 1.0))
    if loss == "boundary_loss":
        return Sample(loss, (drawn(64, 32, 2), 1.0))
    shape = (64, 17, 2) if loss == "anchor_loss" else (64, 512)
    return Sample(loss, (drawn(*shape), drawn(*shape)))


def step_of(sample: Sample, backend: str) -> Step:
    """A forward and a backward: the loss and its gradients."""

    def step() -> tuple[Tensor, ...]:
        leaves = sample.with_tensors(lambda t: t.detach().requires_grad_())
        value = leaves.call(getattr(ops, sample.name), backend=backend)
        return value.detach(), *torch.autograd.grad(value, leaves.tensors())

    return step


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(4))
def test_exact_enough(loss: str, dtype: torch.dtype, seed: int) -> None:
    given = arguments(loss, samples_of(loss).random_problem(seed, dtype))
    assert_as_exact(loss, OnGpu(loss, "cuda"), given)


@pytest.mark.parametrize("loss", LOSSES)
def test_same_as_the_kernels_on_the_cpu(loss: str) -> None:
    """What the tests without a GPU check is what runs on one, but for approximate functions."""
    given = arguments(loss, samples_of(loss).random_problem(7, torch.float32))
    found, wanted = results(OnGpu(loss, "cuda"), given), results(CudaOnCpu(loss), given)
    for own, want in zip(found, wanted, strict=True):
        torch.testing.assert_close(own, want, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("loss", LOSSES)
def test_streams_graphs_and_synchronisation(loss: str) -> None:
    sample = large(loss)
    step, first = step_of(sample, "cuda"), sample.tensors()[0]
    assert_no_synchronisation(step)
    assert_same_bytes_on_every_stream(step)
    assert_works_on_the_current_stream(step, first)
    others = [large(loss, seed=seed).tensors()[0] for seed in range(1, 4)]
    assert_can_be_captured(step, first, others)


@pytest.mark.parametrize("loss", LOSSES)
def test_launches(loss: str) -> None:
    """One forward and one backward, over all scales, and nothing else of anybody's."""
    given = arguments(loss, large(loss))
    names = kernels_of(lambda: OPERATORS[loss].kernel("cuda", "forward")(*given))
    assert len(names) == 1 and "pose_losses_" in names[0]
    leaves = large(loss).with_tensors(lambda t: t.requires_grad_())
    value = leaves.call(getattr(ops, loss))
    one = torch.ones((), device="cuda")
    names = kernels_of(lambda: torch.autograd.grad(value, leaves.tensors(), one, retain_graph=True))
    assert len(names) == 1 and "pose_losses_" in names[0]


@pytest.mark.parametrize("loss", LOSSES)
def test_memory(loss: str) -> None:
    """Nothing but the loss and what belongs to each coordinate is allocated."""
    sample = large(loss)
    assert extra_memory(lambda: sample.call(getattr(ops, loss))) <= 8192


def test_many_numbers() -> None:
    """More than 2^31 - 1 bytes: addresses need 64 bits."""
    scores = torch.ones(2**30 + 3, device="cuda", dtype=torch.bfloat16)
    scores[-1] = 3.0
    scores.requires_grad_()
    value = ops.least_squares_gan([scores, torch.full((2,), 2.0, device="cuda").bfloat16()], 1.0)
    assert float(value) == pytest.approx(0.5, rel=1e-5)
    (grad,) = torch.autograd.grad(value * 2**30, scores)
    assert float(grad[-1]) == pytest.approx(2.0, rel=1e-2) and not grad[:-1].any()


@pytest.mark.parametrize("loss", LOSSES)
def test_the_library_serves_the_gpu(loss: str) -> None:
    assert OPERATORS[loss].owner("cuda") == "cuda"


@pytest.mark.parametrize("loss", LOSSES)
def test_compiled(loss: str) -> None:
    leaves = large(loss).with_tensors(lambda t: t.requires_grad_())
    function = getattr(ops, loss)

    def compute(*tensors: Tensor) -> Tensor:
        given = iter(tensors)
        return leaves.with_tensors(lambda _: next(given)).call(function)

    tensors = leaves.tensors()
    own = torch.autograd.grad(torch.compile(compute, fullgraph=True)(*tensors), tensors)
    want = torch.autograd.grad(compute(*tensors), tensors)
    for found, expected in zip(own, want, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-8)
