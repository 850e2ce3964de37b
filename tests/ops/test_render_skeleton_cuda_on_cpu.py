"""The CUDA kernels of render_skeleton, run on the CPU, against the reference (`tests/cuda_on_cpu`).

What only a GPU can show is in `test_render_skeleton_cuda.py`.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from fastpose.ops.render_skeleton import reference
from fastpose.ops.render_skeleton.plan import plan_for
from fastpose.ops.render_skeleton.samples import random_problem, samples
from fastpose.ops.samples import Sample
from tests.cuda_on_cpu.layouts import layouts
from tests.cuda_on_cpu.problems import (
    Problem,
    assert_as_exact,
    error,
    gradient_for,
    problem_of,
    random_drawing,
)
from tests.cuda_on_cpu.render_skeleton import CudaOnCpu

CUDA = CudaOnCpu()
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


@pytest.mark.parametrize("dtype", DTYPES[:2])
@pytest.mark.parametrize("call", list(samples(torch.float64)), ids=lambda call: call.name)
def test_samples(call: Sample, dtype: torch.dtype) -> None:
    problem = problem_of(call)
    assert_as_exact(problem.with_points(problem.points.to(dtype)), CUDA)


@pytest.mark.parametrize("seed", range(14))
def test_random_problems(seed: int) -> None:
    dtype = DTYPES[seed % 2]
    assert_as_exact(problem_of(random_problem(seed, dtype)), CUDA)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("limbs", [1, 2, 3, 31, 32, 33, 65])
def test_number_of_limbs(limbs: int, wide: bool) -> None:
    assert_as_exact(random_drawing(limbs, limbs, (20, 36), wide=wide), CUDA)


@pytest.mark.parametrize(("dtype", "size"), [(DTYPES[0], (12, 20)), (DTYPES[1], (3, 5))])
def test_most_limbs(dtype: torch.dtype, size: tuple[int, int]) -> None:
    """They fit into shared memory, too."""
    assert_as_exact(random_drawing(512, 512, size, wide=True, dtype=dtype), CUDA)


@pytest.mark.parametrize("channels", [2, 40])
def test_number_of_channels(channels: int) -> None:
    assert_as_exact(random_drawing(1, 45, (20, 24), channels=channels), CUDA)


@pytest.mark.parametrize("profile", [reference.EXPONENTIAL, reference.GAUSSIAN])
@pytest.mark.parametrize("size", [(1, 1), (16, 16), (17, 16), (16, 20), (9, 24), (70, 8), (5, 99)])
def test_sizes_and_profiles(size: tuple[int, int], profile: int) -> None:
    assert_as_exact(random_drawing(3, 20, size, batch=2, profile=profile), CUDA)


@pytest.mark.parametrize("points", DTYPES[:2])
@pytest.mark.parametrize("image", DTYPES)
@pytest.mark.parametrize("wide", [False, True])
def test_types_of_images(points: torch.dtype, image: torch.dtype, wide: bool) -> None:
    problem = random_drawing(5, 18, (24, 40), channels=3, wide=wide, dtype=points)
    assert_as_exact(problem, CUDA, image)


def test_many_tiles_per_warp() -> None:
    assert_as_exact(random_drawing(6, 16, (24, 200), batch=2), CUDA)


@pytest.mark.parametrize(
    ("channels", "dtype"),
    [(1, DTYPES[0]), (11, DTYPES[0]), (2, DTYPES[1]), (3, DTYPES[2]), (9, DTYPES[3])],
)
@pytest.mark.parametrize("layout", layouts((1, 1, 1, 1), torch.float32))
def test_layouts(layout: str, channels: int, dtype: torch.dtype) -> None:
    problem = random_drawing(7, 14, (19, 32), channels=channels, batch=2)
    image = layouts(problem.shape, dtype)[layout]
    whole = image if image._base is None else image._base
    problem.into(CUDA, image)
    assert torch.equal(image, problem.forward(CUDA, dtype)), "as into a contiguous image"
    assert int(whole.isnan().sum()) == whole.numel() - image.numel(), "a pixel beside the image"

    gradient = gradient_for(problem, dtype=dtype)
    moved = image.copy_(gradient)
    assert torch.equal(problem.backward(CUDA, moved), problem.backward(CUDA, gradient))


def test_expanded_gradient() -> None:
    problem = random_drawing(8, 9, (16, 16), channels=2)
    ones = torch.ones((), dtype=torch.float32).expand(problem.shape)
    assert torch.equal(
        problem.backward(CUDA, ones), problem.backward(CUDA, torch.ones(problem.shape))
    )


@pytest.mark.parametrize("dtype", DTYPES[:2])
def test_strides_of_points(dtype: torch.dtype) -> None:
    problem = random_drawing(9, 9, (16, 32), dtype=dtype)
    want = problem.forward(CUDA), problem.backward(CUDA, torch.ones(problem.shape, dtype=dtype))
    xy_apart = problem.points.transpose(1, 2).contiguous().transpose(1, 2)
    three = problem.with_points(xy_apart.expand(3, -1, -1))
    assert torch.equal(three.forward(CUDA), want[0].expand(3, -1, -1, -1))
    ones = torch.ones(three.shape, dtype=dtype)
    assert torch.equal(three.backward(CUDA, ones), want[1].expand(3, -1, -1))


def same(a: Tensor, b: Tensor, tolerance: float = 1e-5) -> bool:
    """NaN in the same places, and else equal but for rounding."""
    clean = ~b.isnan()
    return bool((a.isnan() == b.isnan()).all()) and error(a[clean], b[clean]) < tolerance


@pytest.mark.parametrize(
    ("limbs", "channels", "wide"), [(5, 2, False), (5, 2, True), (40, 1, False)]
)
@pytest.mark.parametrize("value", [torch.nan, -torch.inf, 1e30])
def test_joint_that_is_not_finite(limbs: int, channels: int, value: float, wide: bool) -> None:
    """NaN in the channels that draw the joint, in its own image; the rest is as without it."""
    problem = random_drawing(10, limbs, (20, 20), batch=3, channels=channels, joints=14, wide=wide)
    gradient = gradient_for(problem)
    problem.points[1, 4, 1] = value
    image = problem.forward(CUDA)
    assert same(image, problem.forward(reference))
    assert image[1].isnan().any() and not image[::2].isnan().any()
    assert same(problem.backward(CUDA, gradient), problem.backward(reference, gradient), 1e-4)


def test_far_joints() -> None:
    """Joints far off the image, and limbs that cross it from afar: as exact as PyTorch."""
    problem = random_drawing(11, 12, (24, 24), batch=2, dtype=torch.float32)
    for scale in (3.0, 1000.0):
        assert_as_exact(problem.with_points(problem.points * scale), CUDA)


def test_coincident_joints_and_double_limbs() -> None:
    problem = random_drawing(12, 20, (24, 24), joints=3, dtype=torch.float64)
    problem.points[0, 1] = problem.points[0, 0]
    assert same(problem.forward(CUDA), problem.forward(reference), 1e-12)
    gradient = gradient_for(problem)
    own, want = problem.backward(CUDA, gradient), problem.backward(reference, gradient)
    # Ties between the two joints of one place may go either way.
    assert same(own[:, :2].sum(1), want[:, :2].sum(1), 1e-12)
    assert same(own[:, 2], want[:, 2], 1e-12)


@pytest.mark.parametrize("limbs", [((0, 1), (2, 3)), ((4, 5), (0, 1), (2, 3))])
def test_first_limb_wins_a_tie(limbs: tuple[tuple[int, int], ...]) -> None:
    plan = plan_for(limbs, None, None, torch.device("cpu"))
    near, far = [[-0.5, -0.2], [0.6, 0.3]], [[-0.9, 0.9], [0.9, 0.9]]
    problem = Problem(torch.tensor([near + near + far]), plan, 20, 16)
    gradient = problem.backward(CUDA, torch.ones(problem.shape))
    assert gradient[0, :2].abs().min() > 1 and not gradient[0, 2:4].any()


def everything(problem: Problem, owner: CudaOnCpu) -> list[Tensor]:
    """Results of all the kernels of one kind of points."""
    image = layouts(problem.shape, problem.points.dtype)["channels_last"]
    gradient = torch.ones(problem.shape, dtype=problem.points.dtype)
    return [
        problem.forward(owner),
        problem.into(owner, image),
        problem.backward(owner, gradient),
        problem.backward(owner, image),
    ]


def drawing_for_schedules() -> Problem:
    """Few enough limbs that several threads share a sum in the second kernel of the backward."""
    return random_drawing(13, 30, (36, 40), batch=2, channels=9)


def equal(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_every_schedule_gives_the_same_bytes() -> None:
    problem = drawing_for_schedules()
    first = everything(problem, CudaOnCpu(seed=1))
    for seed in range(2, 5):
        assert equal(first, everything(problem, CudaOnCpu(seed=seed)))


def test_every_barrier_matters() -> None:
    """Without any one of them some result changes, or a thread waits for ever."""
    problem = drawing_for_schedules()
    want = everything(problem, CUDA)
    barriers = CUDA.barriers()
    assert len(barriers) == 8
    for barrier in barriers:
        try:
            got = everything(problem, CudaOnCpu(removed_barrier=barrier))
        except RuntimeError:
            continue
        assert not equal(want, got), f"{barrier} can be removed"


@pytest.mark.parametrize("size", [(40, 72), (300, 40)])
def test_batch_does_not_matter(size: tuple[int, int]) -> None:
    """An image and its gradient have the same bytes alone and among others."""
    problem = random_drawing(15, 3, size, batch=3)
    gradient = torch.randn(problem.shape, generator=torch.Generator().manual_seed(0))
    alone = problem.with_points(problem.points[2:])
    assert torch.equal(alone.forward(CUDA), problem.forward(CUDA)[2:])
    assert torch.equal(alone.backward(CUDA, gradient[2:]), problem.backward(CUDA, gradient)[2:])


def test_empty_batch() -> None:
    problem = random_drawing(14, 3, (8, 8), batch=0)
    assert problem.forward(CUDA).shape == (0, 1, 8, 8)
    assert problem.backward(CUDA, torch.ones(problem.shape)).shape == (0, 12, 2)
