"""Tests of the Triton kernels in Triton's interpreter; `test_soft_argmax_triton.py` runs them."""

from __future__ import annotations

from typing import Literal

import pytest
import torch

from fastpose import ops
from fastpose.ops.soft_argmax import reference
from fastpose.ops.soft_argmax import triton as kernels
from fastpose.ops.soft_argmax.samples import samples
from tests.cuda_on_cpu.problems import error
from tests.cuda_on_cpu.soft_argmax import (
    assert_as_exact,
    everything,
    problem_of,
    random_maps,
)

SAMPLES = {call.name: call for call in samples(torch.float64)}


@pytest.mark.parametrize("name", SAMPLES)
def test_samples(name: str) -> None:
    assert_as_exact(problem_of(SAMPLES[name]), kernels)


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_types_and_memory_formats(dtype: torch.dtype, channels_last: bool, joint: bool) -> None:
    problem = random_maps(
        1, (2, 3, 11, 6), joint=joint, dtype=dtype, channels_last=channels_last, extent=1.5
    )
    assert_as_exact(problem, kernels)


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("size", [(3, 300), (9, 260), (200, 2)])
def test_more_than_a_tile(size: tuple[int, int], joint: bool) -> None:
    assert_as_exact(random_maps(2, (1, 2, *size), joint=joint), kernels)


@pytest.mark.parametrize("joint", [False, True])
def test_strides(joint: bool) -> None:
    problem = random_maps(3, (2, 3, 5, 9), joint=joint)
    turned = problem.with_logits(problem.logits.mT.contiguous().mT)
    for found, want in zip(everything(turned, kernels), everything(problem, kernels), strict=True):
        assert torch.equal(found, want)
    points, confidence = torch.ones(()).expand(2, 3, 2), torch.ones(()).expand(2, 3)
    for given in ((points, confidence), (points, None), (None, confidence), (None, None)):
        own = problem.backward(kernels, *given)
        assert error(own, problem.backward(reference, *given)) < 1e-5


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_logits_that_are_not_finite(value: float, joint: bool) -> None:
    problem = random_maps(4, (1, 3, 9, 7), joint=joint)
    problem.logits[0, 1, 2, 3] = value
    problem.logits[0, 2] = -torch.inf
    for found, want in zip(
        everything(problem, kernels), everything(problem, reference), strict=True
    ):
        torch.testing.assert_close(found, want, equal_nan=True, rtol=1e-4, atol=1e-5)
        assert found[0, 2].isnan().all() and found[0, 0].isfinite().all()


def test_first_of_equal_largest_logits() -> None:
    problem = random_maps(5, (1, 2, 20, 300), joint=True)
    for row, column in ((18, 2), (17, 299), (17, 150), (19, 0)):
        problem.logits[0, 1, row, column] = 60.0
    assert problem.forward(kernels)[2][0, 1, 4:].tolist() == [150, 17]


@pytest.mark.parametrize("mode", ["marginal", "joint"])
def test_through_the_public_function(mode: Literal["marginal", "joint"]) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 8, 9, generator=generator).requires_grad_()
    gradients = []
    for backend in ("triton", "reference"):
        points, confidence = ops.soft_argmax(logits, mode=mode, backend=backend)
        loss = points.square().sum() + confidence.sum()
        gradients.append(torch.autograd.grad(loss, logits)[0])
    assert error(*gradients) < 1e-5
