"""Tests of the Triton kernels of the pose losses in Triton's interpreter;
`test_pose_losses_triton.py` runs them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from fastpose import ops
from fastpose.ops.registry import module_of
from fastpose.ops.samples import Sample, samples_of
from tests.cuda_on_cpu.pose_losses import Reference
from tests.cuda_on_cpu.pose_losses_problems import (
    LOSSES,
    arguments,
    assert_as_exact,
    changed,
    results,
)

CALLS = [
    pytest.param(loss, sample, id=f"{loss}-{sample.name}")
    for loss in LOSSES
    for sample in samples_of(loss).samples(torch.float64)
]


@pytest.mark.parametrize(("loss", "call"), CALLS)
def test_samples(loss: str, call: Sample) -> None:
    assert_as_exact(loss, module_of(loss, "triton"), arguments(loss, call))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_types(loss: str, dtype: torch.dtype) -> None:
    given = arguments(loss, samples_of(loss).random_problem(1, dtype))
    assert_as_exact(loss, module_of(loss, "triton"), given)


@pytest.mark.parametrize("loss", LOSSES)
def test_strides(loss: str) -> None:
    def moved(tensor: Tensor) -> Tensor:
        return tensor.movedim(0, -1).contiguous().movedim(-1, 0)

    given = arguments(loss, samples_of(loss).random_problem(2, torch.float32))
    kernels = module_of(loss, "triton")
    for got, want in zip(
        results(kernels, changed(given, moved)), results(kernels, given), strict=True
    ):
        assert torch.equal(got, want)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_bad_number_spoils_what_the_reference_says(loss: str, bad: float) -> None:
    def spoiled(tensor: Tensor) -> Tensor:
        tensor = tensor.clone()
        tensor.view(-1)[tensor.numel() // 2] = bad
        return tensor

    given = changed(arguments(loss, samples_of(loss).random_problem(2, torch.float32)), spoiled)
    own, want = results(module_of(loss, "triton"), given), results(Reference(loss), given)
    for got, expected in zip(own, want, strict=True):
        torch.testing.assert_close(got, expected, equal_nan=True, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("loss", ["anchor_loss", "gaussian_kl"])
@pytest.mark.parametrize("needs", [(True, False), (False, True)])
def test_gradient_of_one_only(loss: str, needs: tuple[bool, bool]) -> None:
    given = arguments(loss, samples_of(loss).random_problem(3, torch.float32))
    _, *both = results(module_of(loss, "triton"), given)
    _, *one = results(module_of(loss, "triton"), given, needs)
    for got, full, wanted in zip(one, both, needs, strict=True):
        assert torch.equal(got, full) if wanted else got.numel() == 0


@pytest.mark.parametrize("loss", LOSSES)
def test_through_the_public_function(loss: str) -> None:
    problem = samples_of(loss).random_problem(4, torch.float32)
    found = []
    for backend in ("triton", "reference"):
        leaves = problem.with_tensors(lambda t: t.clone().requires_grad_())
        value = leaves.call(getattr(ops, loss), backend=backend)
        found.append(torch.autograd.grad(value, leaves.tensors()))
    for own, want in zip(*found, strict=True):
        torch.testing.assert_close(own, want, rtol=1e-5, atol=1e-7)
