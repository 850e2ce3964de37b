"""Tests of the Triton kernels of feature_distance in Triton's interpreter;
`test_feature_distance_triton.py` runs them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fastpose import ops
from fastpose.ops.feature_distance import reference
from fastpose.ops.feature_distance import triton as kernels
from fastpose.ops.feature_distance.samples import samples
from tests.cuda_on_cpu.feature_distance import assert_as_exact, problem_of, random_layers
from tests.cuda_on_cpu.problems import error

SAMPLES = {call.name: call for call in samples(torch.float64) if call.name != "empty_batch"}
SHAPES = ((2, 3, 6, 7), (2, 8, 3, 4), (2, 5, 1, 1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_samples(name: str, dtype: torch.dtype) -> None:
    assert_as_exact(problem_of(SAMPLES[name]).to(dtype), kernels)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_narrow_types(dtype: torch.dtype, norm: str) -> None:
    mask = torch.rand(2, 1, 6, 7, generator=torch.Generator().manual_seed(0))
    problem = random_layers(0, *SHAPES, mask=mask, norm=norm, grad_loss=512.0).to(dtype)
    last = problem.with_layers(lambda t: t.contiguous(memory_format=torch.channels_last))
    for case in (problem, replace(last, running_mean=torch.ones(3), update=True)):
        if dtype == torch.float16:
            assert_as_exact(case, kernels)
            continue
        want, found = case.to(torch.float64).run(reference), case.run(kernels)
        assert error(found.loss, want.loss) < 1e-6
        for got, exact in zip(found.gradients, want.gradients, strict=True):
            assert error(got, exact) < 2**-7  # the interpreter does not round bfloat16, it cuts off


def test_an_empty_batch() -> None:
    problem = random_layers(11, (0, 3, 4, 4), (0, 5, 2, 2), running_mean=torch.ones(2))
    found = problem.run(kernels)
    assert float(found.loss) == 0.0 and [g.numel() for g in found.gradients] == [0, 0]


def test_several_chunks() -> None:
    problem = random_layers(1, (1, 40, 31, 33), (1, 2, 4, 4), grad_loss=-2.0)
    assert_as_exact(problem, kernels)
    first = problem.run(kernels)
    assert first.equals(problem.run(kernels))


def test_only_wanted_gradients_are_formed() -> None:
    problem = random_layers(2, *SHAPES, wanted=(True, False, True), grad_loss=3.0)
    assert_as_exact(problem, kernels)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_numbers_that_are_not_finite(norm: str, value: float) -> None:
    for mean in (None, torch.ones(3)):
        problem = random_layers(3, *SHAPES, norm=norm, running_mean=mean, update=mean is not None)
        problem.features[1][1, 3, 2, 1] = value
        found, want = problem.run(kernels), problem.run(reference)
        for got, expected in zip(found.tensors(), want.tensors(), strict=True):
            torch.testing.assert_close(got, expected, equal_nan=True, rtol=1e-5, atol=1e-7)


def test_a_running_mean_that_is_not_there_yet_is_not_read() -> None:
    mean, started = torch.full((3,), torch.nan), torch.tensor(False)
    problem = random_layers(4, *SHAPES, running_mean=mean, started=started, update=True)
    assert_as_exact(problem, kernels)


def test_through_the_public_function() -> None:
    problem = random_layers(5, *SHAPES)
    gradients = []
    for backend in ("triton", "reference"):
        leaves = [x.clone().requires_grad_() for x in problem.features]
        loss = ops.feature_distance(leaves, problem.targets, backend=backend)
        gradients.append(torch.autograd.grad(3 * loss, leaves))
    assert all(error(a, b) < 1e-6 for a, b in zip(*gradients, strict=True))
