"""The GPU owners of warp_templates on a GPU. Written without one: not yet run.

The generic tests of this folder run on a GPU too; here is what only a GPU has (streams, graphs,
launches, real sizes). What can be seen without one is in `test_warp_templates_cuda_on_cpu.py`,
`test_warp_templates_triton.py` and `test_cuda_machine_code.py`.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from fastpose import ops
from fastpose.ops.registry import OPERATORS
from fastpose.ops.warp_templates.samples import random_affine
from tests.cuda_on_cpu.problems import error
from tests.cuda_on_cpu.warp_templates import (
    CudaOnCpu,
    Problem,
    assert_as_exact,
    gradient_for,
    random_warp,
)
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
OPERATOR = "warp_templates"


def some_tensors(batch: int = 8, seed: int = 0, side: int = 128) -> tuple[Tensor, Tensor]:
    problem = random_warp(seed, (side, side), (side, side), batch=batch, count=18)
    return problem.templates.cuda(), problem.affine.cuda()


def step(
    templates: Tensor, affine: Tensor, backend: str, size: int = 128, **more: Any
) -> tuple[Tensor, ...]:
    """A forward and a backward: image and gradients."""
    leaves = [t.detach().requires_grad_() for t in (templates, affine)]
    image = ops.warp_templates(*leaves, size, backend=backend, **more)
    image.float().square().sum().backward()
    return image.detach(), *(t.grad for t in leaves if t.grad is not None)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_exact_enough(backend: str, dtype: torch.dtype, scale: float) -> None:
    maps = torch.float64 if dtype == torch.float64 else torch.float32
    problem = random_warp(
        1, (128, 128), (128, 128), batch=2, count=3, scale=scale, turn=math.pi, dtype=maps
    )
    assert_as_exact(problem, OnGpu(OPERATOR, backend), dtype)


@pytest.mark.parametrize(
    ("template", "size", "count"),
    [((256, 256), (256, 256), 18), ((97, 131), (211, 67), 5), ((9, 300), (40, 33), 2)],
)
def test_other_shapes(
    backend: str, template: tuple[int, int], size: tuple[int, int], count: int
) -> None:
    assert_as_exact(random_warp(2, template, size, count=count, batch=2), OnGpu(OPERATOR, backend))


def test_same_as_the_kernels_on_the_cpu() -> None:
    """What the tests without a GPU check is what runs on one."""
    problem = random_warp(3, (40, 50), (48, 64), batch=2, count=3)
    gradient = gradient_for(problem)
    gpu, cpu = OnGpu(OPERATOR, "cuda"), CudaOnCpu()
    assert error(problem.forward(gpu), problem.forward(cpu)) < 1e-6
    for own, want in zip(
        problem.backward(gpu, gradient), problem.backward(cpu, gradient), strict=True
    ):
        assert error(own, want) < 1e-5


def some_step(backend: str, templates: Tensor, affine: Tensor) -> Step:
    return lambda: step(templates, affine, backend)


def test_same_bytes_on_every_stream(backend: str) -> None:
    assert_same_bytes_on_every_stream(some_step(backend, *some_tensors()))


def test_work_is_on_the_current_stream(backend: str) -> None:
    """Maps that a slow kernel on the same stream still writes are waited for."""
    templates, affine = some_tensors(seed=1)
    assert_works_on_the_current_stream(some_step(backend, templates, affine), affine)


def test_graph_capture(backend: str) -> None:
    templates, affine = some_tensors()
    others = [some_tensors(seed=seed)[1] for seed in range(1, 4)]
    assert_can_be_captured(some_step(backend, templates, affine), affine, others)


def test_no_synchronisation(backend: str) -> None:
    assert_no_synchronisation(some_step(backend, *some_tensors()))


def test_launches() -> None:
    """One forward, two backward for the maps and one for the templates, and nothing else."""
    templates, affine = some_tensors()
    names = kernels_of(lambda: ops.warp_templates(templates, affine, 128))
    assert len(names) == 1 and "warp_templates_forward_kernel" in names[0]
    kernel = OPERATORS[OPERATOR].kernel("cuda", "backward")
    gradient = torch.ones(8, 18, 128, 128, device="cuda")
    for needs_templates, launches in ((False, 2), (True, 3)):
        names = kernels_of(lambda n=needs_templates: kernel(gradient, templates, affine, n, True))
        assert len(names) == launches and all("warp_templates_backward" in n for n in names)


def test_memory() -> None:
    """Nothing but the image is allocated, and nothing but the arguments kept for backward."""
    templates, affine = some_tensors(32, side=256)
    affine.requires_grad_()
    image = ops.warp_templates(templates, affine, 256)
    size = image.numel() * image.element_size()
    assert extra_memory(lambda: ops.warp_templates(templates, affine, 256)) <= 1.05 * size
    gradient = torch.ones_like(image)
    assert extra_memory(lambda: image.backward(gradient)) <= 1 << 20


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_into_channels_of_a_larger_image(backend: str, dtype: torch.dtype) -> None:
    templates, affine = some_tensors(4, side=64)
    larger = torch.full((4, 64, 64, 21), torch.nan, device="cuda", dtype=dtype)
    out = larger.permute(0, 3, 1, 2)[:, 3:]
    ops.warp_templates(templates, affine, 64, out=out, backend=backend)
    plain = ops.warp_templates(templates, affine, 64, dtype=dtype, backend=backend)
    assert torch.equal(out, plain) and larger[..., :3].isnan().all()


def test_as_many_pixels_as_allowed(backend: str) -> None:
    """Almost 2^31 of them: addresses need 64 bits."""
    height, width = 32767, 65528
    templates = torch.rand(1, 32, 64, device="cuda")
    affine = torch.tensor([[[[1.0, 0, width - 64], [0, 1, height - 32]]]], device="cuda")
    image = ops.warp_templates(
        templates, affine, (height, width), dtype=torch.bfloat16, backend=backend
    )
    assert torch.equal(image[0, 0, -32:, -64:], templates[0].bfloat16())
    assert not image[0, 0, : height - 33].any() and not image[0, 0, :, : width - 65].any()


def test_templates_that_are_not_contiguous(backend: str) -> None:
    templates, affine = some_tensors(2)
    strided = templates.mT.contiguous().mT
    for own, want in zip(
        step(strided, affine, backend), step(templates, affine, backend), strict=True
    ):
        assert torch.equal(own, want)


def test_both_ways_of_the_registry() -> None:
    """On a GPU the CUDA library serves, and says so."""
    assert OPERATORS[OPERATOR].owner("cuda") == "cuda"
    templates, affine = some_tensors(2)
    own = step(templates, affine, "cuda")
    want = step(templates.double(), affine.double(), "reference")
    assert all(error(a, b) < 1e-4 for a, b in zip(own, want, strict=True))


def test_compiled() -> None:
    templates, affine = some_tensors(4)

    def loss(affine: Tensor) -> Tensor:
        return ops.warp_templates(templates, affine, 64).square().mean()

    affine.requires_grad_()
    (own,) = torch.autograd.grad(torch.compile(loss, fullgraph=True)(affine), affine)
    (want,) = torch.autograd.grad(loss(affine), affine)
    assert error(own, want) < 1e-6


def test_singular_maps(backend: str) -> None:
    templates, affine = some_tensors(2)
    affine[1, 3] = 0
    image, grad_templates, grad_affine = step(templates, affine, backend)
    assert image[1, 3].isnan().all() and grad_affine[1, 3].isnan().all()
    assert image.isnan().sum() == 128 * 128 and grad_affine.isnan().sum() == 6
    assert grad_templates[3].isnan().all() and grad_templates.isnan().sum() == 128 * 128


def test_a_huge_template_of_which_little_is_seen(backend: str) -> None:
    templates = torch.rand(1, 4096, 8192)
    affine = random_affine(0, 2, 1, (4096, 8192), (64, 64), scale=0.5)
    problem = Problem(templates, affine.float(), 64, 64)
    assert (
        error(
            problem.forward(OnGpu(OPERATOR, backend)), problem.forward(OnGpu(OPERATOR, "reference"))
        )
        < 1e-2
    )


def test_another_device() -> None:
    if torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    tensors = some_tensors(2)
    here, there = step(*tensors, "cuda"), step(*(t.to("cuda:1") for t in tensors), "cuda")
    assert there[0].device.index == 1
    assert torch.equal(here[0], there[0].to(here[0].device))
