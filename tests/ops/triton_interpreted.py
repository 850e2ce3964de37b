"""Tests of the Triton kernels in Triton's interpreter; `test_render_skeleton_triton.py` runs them.

The interpreter must be chosen before Triton is imported (TRITON_INTERPRET=1), hence a process of
its own and a name that pytest does not collect by itself.
"""

from __future__ import annotations

import pytest
import torch

from fastpose import ops
from fastpose.ops.render_skeleton import reference
from fastpose.ops.render_skeleton import triton as kernels
from fastpose.ops.render_skeleton.samples import samples
from tests.cuda_on_cpu.problems import (
    assert_as_exact,
    error,
    gradient_for,
    problem_of,
    random_drawing,
)

SAMPLES = {call.name: call for call in samples(torch.float64)}


@pytest.mark.parametrize(
    "name", ["gaussian", "cut_tiles", "means", "everything", "no_length_wide", "empty_batch"]
)
def test_samples(name: str) -> None:
    assert_as_exact(problem_of(SAMPLES[name]), kernels)


def test_more_limbs_than_a_group() -> None:
    problem = random_drawing(1, 34, (5, 9), joints=3)
    assert_as_exact(problem, kernels)


def test_channels_and_widths_in_float32() -> None:
    problem = random_drawing(2, 6, (5, 18), joints=3, channels=3, wide=True)
    assert_as_exact(problem, kernels)


def test_types_and_strides() -> None:
    problem = random_drawing(3, 4, (6, 18), joints=5, channels=2, profile=reference.GAUSSIAN)
    plain = problem.forward(kernels)
    for dtype in (torch.bfloat16, torch.float16):
        larger = torch.full((1, 6, 18, 5), torch.nan, dtype=dtype)
        out = larger.permute(0, 3, 1, 2)[:, 2:4]
        problem.into(kernels, out)
        assert error(out, plain) < {torch.bfloat16: 5e-3, torch.float16: 5e-4}[dtype]
        assert int(larger.isnan().sum()) == larger.numel() - out.numel()
    points = problem.points.transpose(1, 2).contiguous().transpose(1, 2).expand(2, -1, -1)
    twice = problem.with_points(points)
    assert torch.equal(twice.forward(kernels), plain.expand(2, -1, -1, -1))
    ones = torch.ones((), dtype=torch.bfloat16).expand(twice.shape)
    want = problem.backward(reference, torch.ones(problem.shape))
    assert error(twice.backward(kernels, ones), want.expand(2, -1, -1)) < 1e-4


def test_joint_that_is_not_finite() -> None:
    problem = random_drawing(10, 5, (6, 6), batch=2, channels=2, joints=6)
    gradient = gradient_for(problem)
    problem.points[1, problem.plan.packed[-1], 1] = torch.inf  # the last limb's end
    for own, want in (
        (problem.forward(kernels), problem.forward(reference)),
        (problem.backward(kernels, gradient), problem.backward(reference, gradient)),
    ):
        assert want.isnan().any() and torch.equal(own.isnan(), want.isnan())
        assert error(own.nan_to_num(), want.nan_to_num()) < 1e-4


def test_through_the_public_function() -> None:
    points = torch.rand(2, 3, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    limbs = ((0, 1), (1, 2))
    gradients = []
    for backend in ("triton", "reference"):
        image = ops.render_skeleton(points, limbs, 12, backend=backend)
        gradients.append(torch.autograd.grad(image.square().sum(), points)[0])
    assert error(*gradients) < 1e-5
