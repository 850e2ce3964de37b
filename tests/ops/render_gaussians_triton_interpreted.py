"""Tests of the Triton kernels of render_gaussians in Triton's interpreter;
`test_render_gaussians_triton.py` runs them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fastpose import ops
from fastpose.ops.render_gaussians import reference
from fastpose.ops.render_gaussians import triton as kernels
from fastpose.ops.render_gaussians.samples import samples
from tests.cuda_on_cpu.gaussian_problems import (
    assert_as_exact,
    assert_thin_maps_as_exact,
    flat_templates,
    gradient_for,
    problem_of,
    random_maps,
    results_of,
)
from tests.cuda_on_cpu.problems import error

SAMPLES = {call.name: call for call in samples(torch.float64)}


@pytest.mark.parametrize(
    "name",
    ["heatmaps", "mixed", "not_symmetric", "cut_vectors", "narrow", "one_pixel", "one_row",
     "one_column", "templates", "templates_jitter", "round_templates", "empty_batch", "no_maps",
     "thin", "thin_templates"],
)  # fmt: skip
def test_samples(name: str) -> None:
    assert_as_exact(problem_of(SAMPLES[name]), kernels)


@pytest.mark.parametrize("kind", ["round", "mixed", "moved"])
@pytest.mark.parametrize("size", [(17, 35), (5, 140), (70, 40)])
def test_float32(size: tuple[int, int], kind: str) -> None:
    assert_as_exact(random_maps(1, 2, size, kind=kind), kernels)


@pytest.mark.parametrize("moved", [False, True])
def test_thin_maps(moved: bool) -> None:
    assert_thin_maps_as_exact(results_of(kernels), moved, 6)


def test_flat_templates() -> None:
    assert_as_exact(flat_templates(), kernels)


def test_more_maps_than_a_group() -> None:
    assert_as_exact(random_maps(2, 9, (2, 3), batch=4), kernels)
    assert_as_exact(random_maps(3, 1, (2, 3), batch=35, kind="moved"), kernels)


@pytest.mark.parametrize(
    ("maps", "dtype"),
    [(1, torch.float16), (3, torch.float32), (18, torch.float16), (33, torch.bfloat16)],
)
def test_channels_of_a_larger_image(dtype: torch.dtype, maps: int) -> None:
    problem = random_maps(4, maps, (2, 70), batch=1, kind="mixed")
    larger = torch.full((1, 2, 70, maps + 4), torch.nan, dtype=dtype)
    out = larger.permute(0, 3, 1, 2)[:, 1 : maps + 1]
    problem.into(kernels, out)
    assert torch.equal(out, problem.forward(kernels, dtype))
    assert int(larger.isnan().sum()) == larger.numel() - out.numel()
    gradient = gradient_for(problem, dtype=dtype)
    found = problem.backward(kernels, out.copy_(gradient))
    for own, want in zip(found, problem.backward(kernels, gradient), strict=True):
        assert torch.equal(own, want)


def test_strides_and_expanded_gradients() -> None:
    problem = random_maps(5, 3, (9, 12), batch=2, kind="moved")
    moved = [t.movedim(0, -1).contiguous().movedim(-1, 0) for t in problem.inputs if t is not None]
    strided = replace(problem, mean=moved[0], covariance=moved[1], affine=moved[2])
    assert torch.equal(strided.forward(kernels), problem.forward(kernels))
    ones = torch.ones((), dtype=torch.bfloat16).expand(problem.shape)
    wanted = problem.backward(reference, torch.ones(problem.shape))
    for own, want in zip(strided.backward(kernels, ones), wanted, strict=True):
        assert error(own, want) < 1e-4


@pytest.mark.parametrize("kind", ["round", "turned", "moved"])
def test_bad_maps(kind: str) -> None:
    problem = random_maps(6, 5, (12, 20), batch=3, kind=kind)
    if problem.covariance is not None:
        problem.covariance[..., 1, :, :] = torch.tensor([[0.1, 0.3], [0.3, 0.9]])
        problem.covariance[..., 2, :, :] = torch.tensor([[-0.1, 0.0], [0.0, 0.2]])
    if problem.affine is not None:
        problem.affine[1, 3, 1, :2] = 2 * problem.affine[1, 3, 0, :2]
        problem.affine[2, 4, 0, 2] = torch.inf
    else:
        problem.mean[1, 3, 1] = -torch.inf
    gradient = gradient_for(problem)
    for own, want in zip(
        [problem.forward(kernels), *problem.backward(kernels, gradient)],
        [problem.forward(reference), *problem.backward(reference, gradient)],
        strict=True,
    ):
        assert want.isnan().any() and torch.equal(own.isnan(), want.isnan())
        assert error(own.nan_to_num(), want.nan_to_num()) < 1e-4


def test_a_gradient_that_is_not_finite() -> None:
    problem = replace(random_maps(7, 3, (24, 70), batch=2, kind="round"), variance=0.001)
    gradient = gradient_for(problem)
    gradient[1, 2, 23, 69] = torch.nan
    assert problem.forward(kernels)[1, 2, 23, 69] == 0
    (found,) = problem.backward(kernels, gradient)
    assert found[1, 2].isnan().all() and found.isnan().sum() == 2


@pytest.mark.parametrize("wanted", [0, 1, 2])
def test_gradients_that_nobody_wants(wanted: int) -> None:
    problem = random_maps(8, 3, (9, 12), batch=2, kind="moved")
    gradient = gradient_for(problem)
    needs = [i == wanted for i in range(3)]
    found = kernels.backward(gradient, *problem.inputs, 0.0, 0.0, *needs)
    for i, own in enumerate(found):
        assert own.numel() == 0 or i == wanted
    assert torch.equal(found[wanted], problem.backward(kernels, gradient)[wanted])


def test_through_the_public_function() -> None:
    mean = torch.rand(2, 3, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    gradients = []
    for backend in ("triton", "reference"):
        image = ops.render_gaussians(mean, 0.04, 12, backend=backend)
        gradients.append(torch.autograd.grad(image.square().sum(), mean)[0])
    assert error(*gradients) < 1e-5
