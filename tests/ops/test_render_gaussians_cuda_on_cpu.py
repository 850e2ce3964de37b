"""The CUDA kernels of render_gaussians on the CPU against the reference (`tests/cuda_on_cpu`).

What only a GPU can show is in `test_render_gaussians_cuda.py`.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from fastpose.ops.render_gaussians import reference
from fastpose.ops.render_gaussians.samples import random_problem, samples
from fastpose.ops.samples import Sample
from tests.cuda_on_cpu.gaussian_problems import (
    Problem,
    assert_as_exact,
    assert_thin_maps_as_exact,
    flat_templates,
    gradient_for,
    problem_of,
    random_maps,
    results_of,
)
from tests.cuda_on_cpu.layouts import layouts
from tests.cuda_on_cpu.problems import error
from tests.cuda_on_cpu.render_gaussians import CudaOnCpu

CUDA = CudaOnCpu()
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
KINDS = ("round", "straight", "turned", "mixed", "moved")


@pytest.mark.parametrize("dtype", DTYPES[:2])
@pytest.mark.parametrize("call", list(samples(torch.float64)), ids=lambda call: call.name)
def test_samples(call: Sample, dtype: torch.dtype) -> None:
    assert_as_exact(problem_of(call).to(dtype), CUDA)


@pytest.mark.parametrize("seed", range(14))
def test_random_problems(seed: int) -> None:
    assert_as_exact(problem_of(random_problem(seed, DTYPES[seed % 2])), CUDA)


@pytest.mark.parametrize("moved", [False, True])
def test_thin_maps(moved: bool) -> None:
    assert_thin_maps_as_exact(results_of(CUDA), moved, 40)


def test_flat_templates() -> None:
    assert_as_exact(flat_templates(), CUDA)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "size", [(1, 1), (16, 16), (17, 16), (8, 132), (9, 260), (300, 8), (5, 99), (70, 72), (3, 4)]
)
def test_sizes(size: tuple[int, int], kind: str) -> None:
    """Rows that fill a warp and do not, one and more segments of a row, one and more parts."""
    assert_as_exact(random_maps(3, 2, size, batch=2, kind=kind), CUDA)


@pytest.mark.parametrize("of_mean", DTYPES[:2])
@pytest.mark.parametrize("image", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_types_of_images(kind: str, image: torch.dtype, of_mean: torch.dtype) -> None:
    assert_as_exact(random_maps(5, 3, (24, 40), kind=kind, dtype=of_mean), CUDA, image)


@pytest.mark.parametrize("batch", [1, 2, 16, 17, 40])
def test_templates_over_the_batch(batch: int) -> None:
    """As many images as warps that share them, fewer, and more."""
    assert_as_exact(random_maps(6, 2, (6, 8), batch=batch, kind="moved", jitter=0.01), CUDA)


def test_more_parts_than_a_warp() -> None:
    assert_as_exact(random_maps(7, 1, (1100, 128), kind="mixed", dtype=torch.float64), CUDA)


@pytest.mark.parametrize(
    ("maps", "dtype"),
    [(1, DTYPES[0]), (11, DTYPES[0]), (2, DTYPES[1]), (3, DTYPES[2]), (9, DTYPES[3])],
)
@pytest.mark.parametrize("layout", layouts((1, 1, 1, 1), torch.float32))
def test_layouts(layout: str, maps: int, dtype: torch.dtype) -> None:
    problem = random_maps(8, maps, (11, 40), batch=2, kind="mixed")
    image = layouts(problem.shape, dtype)[layout]
    whole = image if image._base is None else image._base
    problem.into(CUDA, image)
    assert torch.equal(image, problem.forward(CUDA, dtype)), "as into a contiguous image"
    assert int(whole.isnan().sum()) == whole.numel() - image.numel(), "a pixel beside the image"
    gradient = gradient_for(problem, dtype=dtype)
    assert equal(problem.backward(CUDA, image.copy_(gradient)), problem.backward(CUDA, gradient)), (
        "as from a contiguous gradient"
    )


@pytest.mark.parametrize("maps", [2, 7, 8, 9, 16, 18, 24, 25, 32, 33, 50])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [(5, 9), (3, 300)])
def test_number_of_channels(size: tuple[int, int], dtype: torch.dtype, maps: int) -> None:
    problem = random_maps(9, maps, size, batch=2, kind="mixed")
    larger = torch.full((2, *size, maps + 3), torch.nan, dtype=dtype)
    image = larger.permute(0, 3, 1, 2)[:, 2 : 2 + maps]
    problem.into(CUDA, image)
    assert torch.equal(image, problem.forward(CUDA, dtype))
    assert int(larger.isnan().sum()) == larger.numel() - image.numel()
    gradient = gradient_for(problem, dtype=dtype)
    assert equal(problem.backward(CUDA, image.copy_(gradient)), problem.backward(CUDA, gradient))


def test_expanded_gradient() -> None:
    problem = random_maps(8, 2, (16, 16))
    ones = torch.ones((), dtype=torch.float32).expand(problem.shape)
    assert equal(problem.backward(CUDA, ones), problem.backward(CUDA, torch.ones(problem.shape)))


@pytest.mark.parametrize("dtype", DTYPES[:2])
@pytest.mark.parametrize("kind", ["turned", "moved"])
def test_strides_of_inputs(kind: str, dtype: torch.dtype) -> None:
    problem = random_maps(10, 3, (9, 16), batch=2, kind=kind, dtype=dtype)

    def elsewhere(tensor: Tensor | None) -> Tensor | None:
        if tensor is None:
            return None
        return tensor.movedim(0, -1).contiguous().movedim(-1, 0)

    mean = elsewhere(problem.mean)
    assert mean is not None and not mean.is_contiguous()
    other = replace(
        problem,
        mean=mean,
        covariance=elsewhere(problem.covariance),
        affine=elsewhere(problem.affine),
    )
    gradient = gradient_for(problem)
    assert torch.equal(other.forward(CUDA), problem.forward(CUDA))
    assert equal(other.backward(CUDA, gradient), problem.backward(CUDA, gradient))


def same(a: Tensor, b: Tensor, tolerance: float = 1e-5) -> bool:
    """NaN in the same places, and else equal but for rounding."""
    clean = ~b.isnan()
    return bool((a.isnan() == b.isnan()).all()) and error(a[clean], b[clean]) < tolerance


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
def test_bad_maps(kind: str, layout: str) -> None:
    """NaN where they are, in the same places as the reference, and nowhere else."""
    problem = random_maps(11, 5, (12, 20), batch=3, kind=kind)
    if problem.covariance is not None:
        problem.covariance[..., 1, :, :] = torch.tensor([[0.1, 0.3], [0.3, 0.9]])
        problem.covariance[..., 2, :, :] = torch.tensor([[-0.1, 0.0], [0.0, 0.2]])
    if problem.affine is not None:
        problem.affine[1, 3, 1, :2] = 2 * problem.affine[1, 3, 0, :2]
        problem.affine[2, 4, 0, 2] = torch.inf
    else:
        problem.mean[1, 3, 1] = -torch.inf
        problem.mean[2, 4, 0] = 1e38
    image = problem.into(CUDA, layouts(problem.shape, torch.float32)[layout])
    want = problem.forward(reference)
    assert same(image, want) and want.isnan().any() and not want.isnan().all()
    gradient = layouts(problem.shape, torch.float32)[layout].copy_(gradient_for(problem))
    found, expected = problem.backward(CUDA, gradient), problem.backward(reference, gradient)
    assert all(same(a, b, 1e-4) for a, b in zip(found, expected, strict=True))
    assert all(b.isnan().any() and not b.isnan().all() for b in expected)


@pytest.mark.parametrize("kind", ["round", "turned"])
def test_a_gradient_that_is_not_finite(kind: str) -> None:
    """It reaches its map even where that is 0."""
    problem = random_maps(12, 3, (24, 300), batch=2, kind=kind, least=0.02, most=0.04)
    problem = replace(problem, variance=problem.variance and 0.001)
    for value in (torch.nan, torch.inf):
        gradient = gradient_for(problem)
        gradient[1, 2, 23, 299] = value
        assert problem.forward(CUDA)[1, 2, 23, 299] == 0
        for found in problem.backward(CUDA, gradient):
            assert found[1, 2].isnan().all() and found.isnan().sum() == found[1, 2].numel()


def test_far_off_and_extreme() -> None:
    """0 where a Gaussian is far away, 1 where it is wide; never NaN."""
    problem = random_maps(13, 4, (12, 16), batch=2)
    assert problem.covariance is not None
    for scale in (1e3, 1e12, 1e30):
        far = replace(problem, mean=problem.mean * scale)
        assert (far.forward(CUDA) == 0).all()
        for gradient in far.backward(CUDA, gradient_for(far)):
            assert (gradient == 0).all()
    for scale in (1e-30, 1e-12, 1e12, 1e30):
        image = replace(problem, covariance=problem.covariance * scale).forward(CUDA)
        assert ((image >= 0) & (image <= 1)).all()


def everything(problem: Problem, owner: CudaOnCpu) -> list[Tensor]:
    """Results of all the kernels of one type and kind."""
    image = layouts(problem.shape, problem.mean.dtype)["channels_last"]
    gradient = gradient_for(problem)
    return [
        problem.forward(owner),
        problem.into(owner, image),
        *problem.backward(owner, gradient),
        *problem.backward(owner, image.clone(memory_format=torch.preserve_format)),
    ]


def problems_for_schedules() -> list[Problem]:
    return [
        random_maps(14, 9, (10, 136), batch=2, kind="mixed"),
        random_maps(15, 9, (10, 136), batch=18, kind="moved"),
    ]


def equal(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_every_schedule_gives_the_same_bytes() -> None:
    for problem in problems_for_schedules():
        first = everything(problem, CudaOnCpu(seed=1))
        for seed in range(2, 5):
            assert equal(first, everything(problem, CudaOnCpu(seed=seed)))


def test_every_barrier_matters() -> None:
    """Without any one of them some result changes, or a thread waits for ever."""
    problems = problems_for_schedules()
    wanted = [everything(problem, CUDA) for problem in problems]
    barriers = CUDA.barriers()
    assert len(barriers) == 3
    for barrier in barriers:
        without = CudaOnCpu(removed_barrier=barrier)
        try:
            found = [everything(problem, without) for problem in problems]
        except RuntimeError:
            continue
        right = [equal(a, b) for a, b in zip(wanted, found, strict=True)]
        assert not all(right), f"{barrier} can be removed"


@pytest.mark.parametrize("size", [(40, 72), (300, 40)])
@pytest.mark.parametrize("kind", KINDS[:4])
def test_batch_does_not_matter(kind: str, size: tuple[int, int]) -> None:
    """A map and its gradients have the same bytes alone and among others."""
    problem = random_maps(16, 3, size, batch=3, kind=kind)
    gradient = gradient_for(problem)
    covariance = None if problem.covariance is None else problem.covariance[2:]
    alone = replace(problem, mean=problem.mean[2:], covariance=covariance)
    assert torch.equal(alone.forward(CUDA), problem.forward(CUDA)[2:])
    among = [g[2:] for g in problem.backward(CUDA, gradient)]
    assert equal(alone.backward(CUDA, gradient[2:]), among)


@pytest.mark.parametrize("kind", KINDS)
def test_empty_batch(kind: str) -> None:
    """The gradient of a template in no image is 0."""
    problem = random_maps(17, 3, (8, 8), batch=0, kind=kind)
    assert problem.forward(CUDA).shape == (0, 3, 8, 8)
    found = problem.backward(CUDA, torch.ones(problem.shape))
    inputs = [t for t in problem.inputs if t is not None]
    assert [g.shape for g in found] == [t.shape for t in inputs]
    assert all((g == 0).all() for g in found)


def test_no_maps() -> None:
    problem = random_maps(18, 0, (8, 8), batch=2, kind="moved")
    assert problem.forward(CUDA).shape == (2, 0, 8, 8)
    assert [g.numel() for g in problem.backward(CUDA, torch.ones(problem.shape))] == [0, 0, 0]


@pytest.mark.parametrize(
    "needs", [(True, False, False), (False, True, False), (False, False, True)]
)
def test_gradients_that_nobody_wants(needs: tuple[bool, bool, bool]) -> None:
    problem = random_maps(19, 3, (9, 12), batch=2, kind="moved")
    gradient = gradient_for(problem)
    everything = problem.backward(CUDA, gradient)
    some = CUDA.backward(gradient, *problem.inputs, 0.0, 0.0, *needs)
    for needed, own, want in zip(needs, some, everything, strict=True):
        assert torch.equal(own, want) if needed else own.numel() == 0
