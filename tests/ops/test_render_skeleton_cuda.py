"""The GPU owners of render_skeleton on a GPU. Written without one: not yet run.

The generic tests of this folder run on a GPU too; here is what only a GPU has (streams, graphs,
launches, its approximate functions at real sizes). What can be seen without one is in
`test_render_skeleton_cuda_on_cpu.py`, `test_render_skeleton_triton.py` and
`test_cuda_machine_code.py`.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from fastpose import ops
from fastpose.ops.registry import OPERATORS
from fastpose.ops.render_skeleton import reference
from tests.cuda_on_cpu.problems import (
    assert_as_exact,
    error,
    gradient_for,
    random_drawing,
)
from tests.cuda_on_cpu.render_skeleton import CudaOnCpu
from tests.ops.gpu_tools import (
    OnGpu,
    Step,
    assert_can_be_captured,
    assert_no_synchronisation,
    assert_same_bytes_on_every_stream,
    assert_works_on_the_current_stream,
    extra_memory,
    kernels_of,
)

pytestmark = pytest.mark.gpu
OPERATOR = "render_skeleton"
LIMBS = tuple((i, i + 1) for i in range(16))


def step(points: Tensor, backend: str, size: int = 128, **more: Any) -> tuple[Tensor, Tensor]:
    """A forward and a backward: image and gradient."""
    points = points.detach().requires_grad_()
    image = ops.render_skeleton(points, LIMBS, size, backend=backend, **more)
    image.float().square().sum().backward()
    assert points.grad is not None
    return image.detach(), points.grad


def some_points(batch: int = 16, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(batch, 17, 2, generator=generator) * 2 - 1).cuda()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("profile", [reference.EXPONENTIAL, reference.GAUSSIAN])
def test_exact_enough(backend: str, dtype: torch.dtype, wide: bool, profile: int) -> None:
    points = torch.float64 if dtype == torch.float64 else torch.float32
    problem = random_drawing(1, 16, (128, 128), batch=2, wide=wide, profile=profile, dtype=points)
    assert_as_exact(problem, OnGpu(OPERATOR, backend), dtype)


@pytest.mark.parametrize(
    ("limbs", "channels", "size"),
    [(120, 1, (128, 128)), (496, 1, (64, 64)), (13, 13, (256, 256)), (18, 3, (97, 131))],
)
def test_other_shapes(backend: str, limbs: int, channels: int, size: tuple[int, int]) -> None:
    assert_as_exact(
        random_drawing(2, limbs, size, channels=channels, joints=32), OnGpu(OPERATOR, backend)
    )


def test_same_as_the_kernels_on_the_cpu() -> None:
    """What the tests without a GPU check is what runs on one, but for approximate functions."""
    problem = random_drawing(3, 40, (48, 64), batch=2, channels=3)
    gradient = gradient_for(problem)
    gpu, cpu = OnGpu(OPERATOR, "cuda"), CudaOnCpu()
    assert error(problem.forward(gpu), problem.forward(cpu)) < 2e-6
    assert error(problem.backward(gpu, gradient), problem.backward(cpu, gradient)) < 2e-5


def some_step(backend: str, points: Tensor) -> Step:
    return lambda: step(points, backend)


def test_same_bytes_on_every_stream(backend: str) -> None:
    assert_same_bytes_on_every_stream(some_step(backend, some_points()))


def test_work_is_on_the_current_stream(backend: str) -> None:
    """Points that a slow kernel on the same stream still writes are waited for."""
    points = some_points(seed=1)
    assert_works_on_the_current_stream(some_step(backend, points), points)


def test_graph_capture(backend: str) -> None:
    points = some_points()
    others = [some_points(seed=seed) for seed in range(1, 4)]
    assert_can_be_captured(some_step(backend, points), points, others)


def test_no_synchronisation(backend: str) -> None:
    assert_no_synchronisation(some_step(backend, some_points()))


def test_launches() -> None:
    """One forward, two backward, and nothing else of anybody's."""
    drawn, problem = some_points(), random_drawing(4, 16, (128, 128), batch=16).on("cuda")
    names = kernels_of(lambda: ops.render_skeleton(drawn, LIMBS, 128))
    assert len(names) == 1 and "render_skeleton_forward_kernel" in names[0]
    kernel = OPERATORS[OPERATOR].kernel("cuda", "backward")
    gradient = torch.ones(problem.shape, device="cuda")
    points, packed, widths, limbs, _ = problem.drawing
    names = kernels_of(lambda: kernel(gradient, points, packed, widths, limbs, *problem.fall_off))
    assert len(names) == 2 and all("render_skeleton_backward" in name for name in names)


def test_memory() -> None:
    """Nothing but the image is allocated, and nothing but the points kept for backward."""
    points = some_points(64).requires_grad_()
    image = ops.render_skeleton(points, LIMBS, 256)
    size = image.numel() * image.element_size()
    assert extra_memory(lambda: ops.render_skeleton(points, LIMBS, 256)) <= 1.05 * size
    gradient = torch.ones_like(image)
    assert extra_memory(lambda: image.backward(gradient)) <= 0.25 * size


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_into_channels_of_a_larger_image(backend: str, dtype: torch.dtype) -> None:
    points = some_points(4)
    channels = tuple(i % 5 for i in range(len(LIMBS)))
    larger = torch.full((4, 64, 64, 8), torch.nan, device="cuda", dtype=dtype)
    out = larger.permute(0, 3, 1, 2)[:, 3:]
    ops.render_skeleton(points, LIMBS, 64, channels=channels, out=out, backend=backend)
    plain = ops.render_skeleton(points, LIMBS, 64, channels=channels, dtype=dtype, backend=backend)
    assert torch.equal(out, plain) and larger[..., :3].isnan().all()


def test_as_many_pixels_as_allowed(backend: str) -> None:
    """Almost 2^31 of them: addresses need 64 bits. The last rows are those of a smaller image."""
    height, width = 32767, 65528
    points = torch.tensor([[[-1.0, -1.0], [1.0, 1.0]]], device="cuda")
    image = ops.render_skeleton(
        points, ((0, 1),), (height, width), dtype=torch.bfloat16, sharpness=1.0, backend=backend
    )
    rows = torch.tensor([0, height // 2, height - 1])
    x = torch.linspace(-1, 1, width, dtype=torch.float64)
    for row in rows.tolist():
        y = row * 2 / (height - 1) - 1
        want = (-((((x - y).square() / 2) + 1e-6).sqrt())).exp()
        assert error(image[0, 0, row].cpu(), want) < 5e-3


def test_both_ways_of_the_registry() -> None:
    """On a GPU the CUDA library serves, and says so."""
    assert OPERATORS[OPERATOR].owner("cuda") == "cuda"
    points = some_points(2).requires_grad_()
    image = ops.render_skeleton(points, LIMBS, 32)
    (gradient,) = torch.autograd.grad(image.sum(), points)
    want = step(points, "reference", 32)
    assert error(image.detach(), want[0]) < 2e-6 and gradient.isfinite().all()


def test_compiled() -> None:
    def loss(points: Tensor) -> Tensor:
        return ops.render_skeleton(points, LIMBS, 64).square().mean()

    points = some_points(4).requires_grad_()
    (own,) = torch.autograd.grad(torch.compile(loss, fullgraph=True)(points), points)
    (want,) = torch.autograd.grad(loss(points), points)
    assert error(own, want) < 1e-6


def test_another_device() -> None:
    if torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    points = some_points(2)
    here, there = step(points, "cuda"), step(points.to("cuda:1"), "cuda")
    assert there[0].device.index == 1
    assert torch.equal(here[0], there[0].to(here[0].device))
