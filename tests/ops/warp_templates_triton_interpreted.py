"""Tests of the Triton kernels of warp_templates in Triton's interpreter;
`test_warp_templates_triton.py` runs them."""

from __future__ import annotations

import math

import pytest
import torch

from fastpose import ops
from fastpose.ops.warp_templates import reference
from fastpose.ops.warp_templates import triton as kernels
from fastpose.ops.warp_templates.samples import blobs, samples
from tests.cuda_on_cpu.problems import error
from tests.cuda_on_cpu.warp_templates import (
    assert_as_exact,
    gradient_for,
    problem_of,
    random_warp,
)

SAMPLES = {call.name: call for call in samples(torch.float64)}


@pytest.mark.parametrize(
    "name",
    ["cut_blocks", "mirrored", "larger", "partly_outside", "one_texel", "one_row", "one_column",
     "on_lattice", "empty_batch"],
)  # fmt: skip
def test_samples(name: str) -> None:
    assert_as_exact(problem_of(SAMPLES[name]), kernels)


@pytest.mark.parametrize("scale", [0.4, 1.0, 2.0])
def test_float32(scale: float) -> None:
    problem = random_warp(1, (9, 11), (13, 35), count=3, scale=scale, turn=math.pi)
    assert_as_exact(problem, kernels)


def test_types_and_strides() -> None:
    problem = random_warp(2, (8, 9), (9, 34), count=3)
    plain = problem.forward(kernels)
    for dtype in (torch.bfloat16, torch.float16):
        larger = torch.full((1, 9, 34, 5), torch.nan, dtype=dtype)
        out = larger.permute(0, 3, 1, 2)[:, 1:4]
        problem.into(kernels, out)
        assert error(out, plain) < {torch.bfloat16: 5e-3, torch.float16: 5e-4}[dtype]
        assert int(larger.isnan().sum()) == larger.numel() - out.numel()
    strided = problem.with_tensors(
        problem.templates.mT.contiguous().mT,
        problem.affine.movedim(0, -1).contiguous().movedim(-1, 0).expand(2, -1, -1, -1),
    )
    assert torch.equal(strided.forward(kernels), plain.expand(2, -1, -1, -1))
    ones = torch.ones((), dtype=torch.bfloat16).expand(strided.shape)
    templates, affine = problem.backward(reference, torch.ones(problem.shape))
    own = strided.backward(kernels, ones)
    assert error(own[0], 2 * templates) < 1e-5
    assert error(own[1], affine.expand(2, -1, -1, -1)) < 1e-4


@pytest.mark.parametrize(
    "bad",
    [
        [[1.0, 2, 0], [2, 4, 0]],
        [[0.1, 0.3, 0], [0.2, 0.6, 0]],
        [[math.nan, 0, 0], [0, 1, 0]],
        [[1.0, 0, math.inf], [0, 1, 0]],
        [[1e-25, 0, 0], [0, 1e-25, 0]],
        [[1e25, 0, 0], [0, 1e25, 0]],
        [[1e30, 0, 0], [0, 1e-45, 0]],
    ],
)
def test_singular_maps(bad: list[list[float]]) -> None:
    problem = random_warp(3, (5, 6), (8, 9), batch=2, count=2)
    gradient = gradient_for(problem)
    problem.affine[1, 0] = torch.tensor(bad)
    image, expected = problem.forward(kernels), problem.forward(reference)
    own, want = problem.backward(kernels, gradient), problem.backward(reference, gradient)
    assert image[1, 0].isnan().all() and own[0][0].isnan().all() and own[1][1, 0].isnan().all()
    for a, b in ((image, expected), *zip(own, want, strict=True)):
        assert torch.equal(a.isnan(), b.isnan())
        assert error(a.nan_to_num(), b.nan_to_num()) < 1e-4


@pytest.mark.parametrize("value", [1e9, -1e30, 3e38])
def test_maps_that_are_far_off(value: float) -> None:
    problem = random_warp(4, (5, 6), (8, 9), batch=2)
    problem.affine[:, :, 0, 2] = value
    assert not problem.forward(kernels).any()
    assert not any(g.any() for g in problem.backward(kernels, gradient_for(problem)))


def test_gradients_that_are_not_finite() -> None:
    problem = random_warp(5, (7, 8), (10, 9), batch=2)
    problem = problem.with_tensors(blobs(2, 7, 8).float(), problem.affine)
    gradient = gradient_for(problem)
    gradient[problem.forward(reference) == 0] = torch.inf
    own, want = problem.backward(kernels, gradient), problem.backward(reference, gradient)
    for a, b in zip(own, want, strict=True):
        finite = b.isfinite()
        assert torch.equal(a.isfinite(), finite) and error(a[finite], b[finite]) < 1e-4


def test_through_the_public_function() -> None:
    problem = random_warp(6, (6, 7), (8, 8))
    results = []
    for backend in ("triton", "reference"):
        leaves = [t.clone().requires_grad_() for t in (problem.templates, problem.affine)]
        image = ops.warp_templates(*leaves, 8, backend=backend)
        results.append(torch.autograd.grad(image.square().sum(), leaves))
    for own, want in zip(*results, strict=True):
        assert error(own, want) < 1e-5
