"""The CUDA kernels of warp_templates, run on the CPU, against the reference (`tests/cuda_on_cpu`).

What only a GPU can show is in `test_warp_templates_cuda.py`.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from fastpose.ops.samples import Sample
from fastpose.ops.warp_templates import reference
from fastpose.ops.warp_templates.samples import blobs, random_problem, samples
from tests.cuda_on_cpu.layouts import layouts
from tests.cuda_on_cpu.problems import error
from tests.cuda_on_cpu.warp_templates import (
    CudaOnCpu,
    Problem,
    assert_as_exact,
    gradient_for,
    problem_of,
    random_warp,
)

CUDA = CudaOnCpu()
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


@pytest.mark.parametrize("dtype", DTYPES[:2])
@pytest.mark.parametrize("call", list(samples(torch.float64)), ids=lambda call: call.name)
def test_samples(call: Sample, dtype: torch.dtype) -> None:
    assert_as_exact(problem_of(call).to(dtype), CUDA)


@pytest.mark.parametrize("seed", range(14))
def test_random_problems(seed: int) -> None:
    assert_as_exact(problem_of(random_problem(seed, DTYPES[seed % 2])), CUDA)


@pytest.mark.parametrize("template", [(3, 3), (20, 50)])
@pytest.mark.parametrize(
    "size", [(1, 1), (8, 32), (9, 32), (8, 36), (32, 64), (33, 33), (70, 8), (5, 99), (3, 200)]
)
def test_sizes(size: tuple[int, int], template: tuple[int, int]) -> None:
    assert_as_exact(random_warp(1, template, size, batch=2), CUDA)


@pytest.mark.parametrize("scale", [0.02, 0.3, 5.0, 60.0])
@pytest.mark.parametrize("turn", [1e-9, math.pi])
def test_scales_and_angles(scale: float, turn: float) -> None:
    problem = random_warp(2, (30, 40), (36, 40), count=3, scale=scale, turn=turn)
    assert_as_exact(problem, CUDA)
    assert_as_exact(random_warp(3, (30, 40), (36, 40), scale=scale, mirrored=True), CUDA)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9])
def test_number_of_templates(count: int) -> None:
    """Alone, and in channels that are written side by side."""
    problem = random_warp(4, (9, 9), (12, 40), count=count, batch=2)
    assert_as_exact(problem, CUDA)
    image = layouts(problem.shape, torch.float32)["channels_last"]  # type: ignore[arg-type]
    assert torch.equal(problem.into(CUDA, image), problem.forward(CUDA))


@pytest.mark.parametrize("images", [1, 64, 65, 130])
def test_batches_that_are_prepared_in_parts(images: int) -> None:
    assert_as_exact(random_warp(5, (4, 5), (5, 6), count=1, batch=images), CUDA)


@pytest.mark.parametrize("maps", DTYPES[:2])
@pytest.mark.parametrize("image", DTYPES)
def test_types_of_images(maps: torch.dtype, image: torch.dtype) -> None:
    assert_as_exact(random_warp(6, (18, 18), (24, 40), count=3, dtype=maps), CUDA, image)


@pytest.mark.parametrize(
    ("count", "dtype"),
    [(1, DTYPES[0]), (11, DTYPES[0]), (2, DTYPES[1]), (3, DTYPES[2]), (9, DTYPES[3])],
)
@pytest.mark.parametrize("layout", layouts((1, 1, 1, 1), torch.float32))
def test_layouts(layout: str, count: int, dtype: torch.dtype) -> None:
    problem = random_warp(7, (12, 14), (19, 32), count=count, batch=2)
    image = layouts((2, count, 19, 32), dtype)[layout]
    whole = image if image._base is None else image._base
    problem.into(CUDA, image)
    assert torch.equal(image, problem.forward(CUDA, dtype)), "as into a contiguous image"
    assert int(whole.isnan().sum()) == whole.numel() - image.numel(), "a pixel beside the image"

    gradient = gradient_for(problem, dtype=dtype)
    moved = image.copy_(gradient)
    for own, want in zip(
        problem.backward(CUDA, moved), problem.backward(CUDA, gradient), strict=True
    ):
        assert torch.equal(own, want)


def test_expanded_gradient() -> None:
    problem = random_warp(8, (9, 9), (16, 16))
    ones = torch.ones((), dtype=torch.float32).expand(problem.shape)
    assert equal(problem.backward(CUDA, ones), problem.backward(CUDA, torch.ones(problem.shape)))


@pytest.mark.parametrize("dtype", DTYPES[:2])
def test_strides_of_maps_and_templates(dtype: torch.dtype) -> None:
    problem = random_warp(9, (11, 13), (16, 32), dtype=dtype, batch=2)
    ones = torch.ones(problem.shape, dtype=dtype)
    want = problem.forward(CUDA), *problem.backward(CUDA, ones)
    strided = problem.with_tensors(
        problem.templates.mT.contiguous().mT, problem.affine.permute(3, 1, 2, 0).contiguous()
    )
    strided = strided.with_tensors(strided.templates, strided.affine.permute(3, 1, 2, 0))
    assert not strided.affine.is_contiguous() and not strided.templates.is_contiguous()
    assert equal((strided.forward(CUDA), *strided.backward(CUDA, ones)), want)
    three = problem.with_tensors(problem.templates, problem.affine[:1].expand(3, -1, -1, -1))
    assert torch.equal(three.forward(CUDA)[2], want[0][0])


def same(a: Tensor, b: Tensor, tolerance: float = 1e-5) -> bool:
    """Not finite in the same places, and else equal but for rounding."""
    finite = b.isfinite()
    return torch.equal(a.isfinite(), finite) and error(a[finite], b[finite]) < tolerance


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
@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
def test_singular_maps(bad: list[list[float]], layout: str) -> None:
    """NaN in the map, its gradient and that of its template; the rest is as without it."""
    problem = random_warp(10, (12, 9), (20, 36), batch=3, count=3)
    gradient = gradient_for(problem)
    problem.affine[1, 2] = torch.tensor(bad)
    image = problem.into(CUDA, layouts((3, 3, 20, 36), torch.float32)[layout])
    assert image[1, 2].isnan().all() and image.isnan().sum() == image[0, 0].numel()
    assert same(image, problem.forward(reference))
    own, want = problem.backward(CUDA, gradient), problem.backward(reference, gradient)
    assert own[0][2].isnan().all() and own[1][1, 2].isnan().all()
    assert all(same(a, b, 1e-4) for a, b in zip(own, want, strict=True))


@pytest.mark.parametrize("dtype", DTYPES[:2])
@pytest.mark.parametrize("value", [1e7, -1e12, 1e30, 3e38])
def test_maps_that_are_far_off(value: float, dtype: torch.dtype) -> None:
    """No address is computed from such numbers."""
    problem = random_warp(11, (12, 9), (20, 36), batch=2, dtype=dtype)
    problem.affine[0, :, :, 2] = value
    problem.affine[1, :, 1, 2] = value
    assert not problem.forward(CUDA).any()
    assert not any(g.any() for g in problem.backward(CUDA, gradient_for(problem)))


@pytest.mark.parametrize("scale", [1e-18, 1e-6, 1e6, 1e18])
def test_maps_that_are_tiny_or_huge(scale: float) -> None:
    problem = random_warp(12, (9, 9), (20, 36))
    problem.affine[..., :2] *= scale
    problem.affine[..., 2] = torch.tensor([10.0, 9.0]) - problem.affine[..., :2].sum(-1) * 4.25
    image, gradient = problem.forward(CUDA), torch.ones(problem.shape)
    assert ((image >= 0) & (image <= 1)).all()
    results = problem.backward(CUDA, gradient), problem.backward(reference, gradient)
    for own, want in zip(*results, strict=True):
        assert own.isfinite().all() and want.isfinite().all()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_that_are_not_finite(value: float) -> None:
    """Texels and gradients reach what the reference says they do."""
    problem = random_warp(13, (14, 17), (20, 36), batch=2)
    problem = problem.with_tensors(blobs(2, 14, 17).float(), problem.affine)
    gradient = gradient_for(problem)
    gradient[problem.forward(reference) == 0] = value
    for own, want in zip(
        problem.backward(CUDA, gradient), problem.backward(reference, gradient), strict=True
    ):
        assert same(own, want, 1e-4)
    problem.templates[0, 5, 6] = value
    assert same(problem.forward(CUDA), problem.forward(reference))


def everything(problem: Problem, owner: CudaOnCpu) -> list[Tensor]:
    """Results of all the kernels of one type."""
    image = layouts(problem.shape, problem.affine.dtype)["channels_last"]  # type: ignore[arg-type]
    gradient = torch.ones(problem.shape, dtype=problem.affine.dtype)
    return [
        problem.forward(owner),
        problem.into(owner, image),
        *problem.backward(owner, gradient),
        *problem.backward(owner, image),
    ]


def problem_for_schedules() -> Problem:
    return random_warp(14, (6, 9), (9, 72), batch=66, count=3)


def equal(a: list[Tensor] | tuple[Tensor, ...], b: list[Tensor] | tuple[Tensor, ...]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_every_schedule_gives_the_same_bytes() -> None:
    problem = problem_for_schedules()
    first = everything(problem, CudaOnCpu(seed=1))
    for seed in range(2, 5):
        assert equal(first, everything(problem, CudaOnCpu(seed=seed)))


def test_every_barrier_matters() -> None:
    """Without any one of them some result changes, or a thread waits for ever."""
    problem = problem_for_schedules()
    want = everything(problem, CUDA)
    barriers = CUDA.barriers()
    assert len(barriers) == 4
    for barrier in barriers:
        try:
            got = everything(problem, CudaOnCpu(removed_barrier=barrier))
        except RuntimeError:
            continue
        assert not equal(want, got), f"{barrier} can be removed"


@pytest.mark.parametrize("size", [(40, 72), (300, 40)])
def test_batch_does_not_matter(size: tuple[int, int]) -> None:
    """An image and the gradient of its maps have the same bytes alone and among others."""
    problem = random_warp(15, (21, 30), size, batch=3)
    gradient = torch.randn(problem.shape, generator=torch.Generator().manual_seed(0))
    alone = problem.with_tensors(problem.templates, problem.affine[2:])
    assert torch.equal(alone.forward(CUDA), problem.forward(CUDA)[2:])
    assert torch.equal(
        alone.backward(CUDA, gradient[2:])[1], problem.backward(CUDA, gradient)[1][2:]
    )


def test_empty_batch_and_no_templates() -> None:
    problem = random_warp(16, (3, 4), (8, 8), batch=0)
    assert problem.forward(CUDA).shape == (0, 2, 8, 8)
    templates, affine = problem.backward(CUDA, torch.ones(problem.shape))
    assert torch.equal(templates, torch.zeros(2, 3, 4)) and affine.shape == (0, 2, 2, 3)
    problem = random_warp(16, (3, 4), (8, 8), count=0)
    assert problem.forward(CUDA).shape == (1, 0, 8, 8)
    assert [g.numel() for g in problem.backward(CUDA, torch.ones(problem.shape))] == [0, 0]
