"""The GPU owners of render_gaussians on a GPU. Written without one: not yet run.

The generic tests of this folder run on a GPU too; here is what only a GPU has (streams, graphs,
launches, its approximate functions at real sizes). What can be seen without one is in
`test_render_gaussians_cuda_on_cpu.py`, `test_render_gaussians_triton.py` and
`test_cuda_machine_code.py`.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from fastpose import ops
from fastpose.ops.registry import OPERATORS
from tests.cuda_on_cpu.gaussian_problems import (
    Problem,
    assert_as_exact,
    gradient_for,
    random_maps,
)
from tests.cuda_on_cpu.problems import error
from tests.cuda_on_cpu.render_gaussians import CudaOnCpu
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
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
KINDS = ("round", "straight", "turned", "mixed", "moved")


def on_gpu(kind: str, batch: int = 8, seed: int = 0) -> Problem:
    return random_maps(seed, 18, (128, 128), batch=batch, kind=kind).to("cuda")


def step_of(problem: Problem, backend: str) -> Step:
    """A forward and a backward: maps and gradients."""

    def step() -> tuple[Tensor, ...]:
        given = (problem.mean, problem.covariance, problem.affine)
        leaves = [None if t is None else t.detach().requires_grad_() for t in given]
        mean, covariance, affine = leaves
        assert mean is not None
        spread = problem.variance if covariance is None else covariance
        image = ops.render_gaussians(mean, spread, 128, affine, backend=backend)
        tensors = [t for t in leaves if t is not None]
        return image.detach(), *torch.autograd.grad(image.square().sum(), tensors)

    return step


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_exact_enough(backend: str, kind: str, dtype: torch.dtype) -> None:
    of_mean = torch.float64 if dtype == torch.float64 else torch.float32
    problem = random_maps(1, 5, (128, 128), batch=2, kind=kind, dtype=of_mean)
    assert_as_exact(problem, OnGpu("render_gaussians", backend), dtype)


@pytest.mark.parametrize("size", [(256, 256), (97, 131), (300, 40), (1, 1000), (1000, 1), (64, 6)])
@pytest.mark.parametrize("kind", ["mixed", "moved"])
def test_other_shapes(backend: str, kind: str, size: tuple[int, int]) -> None:
    problem = random_maps(2, 18, size, batch=3, kind=kind)
    assert_as_exact(problem, OnGpu("render_gaussians", backend))


def test_same_as_the_kernels_on_the_cpu() -> None:
    """What the tests without a GPU check is what runs on one, but for approximate functions."""
    problem = random_maps(3, 7, (48, 64), batch=2, kind="mixed")
    gradient = gradient_for(problem)
    gpu, cpu = OnGpu("render_gaussians", "cuda"), CudaOnCpu()
    assert error(problem.forward(gpu), problem.forward(cpu)) < 2e-6
    found, wanted = problem.backward(gpu, gradient), problem.backward(cpu, gradient)
    assert all(error(a, b) < 2e-5 for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize("kind", ["mixed", "moved"])
def test_streams_graphs_and_synchronisation(backend: str, kind: str) -> None:
    problem = on_gpu(kind)
    step = step_of(problem, backend)
    assert_no_synchronisation(step)
    assert_same_bytes_on_every_stream(step)
    assert_works_on_the_current_stream(step, problem.mean)
    others = [on_gpu(kind, seed=seed).mean for seed in range(1, 4)]
    assert_can_be_captured(step, problem.mean, others)


@pytest.mark.parametrize("kind", KINDS)
def test_launches(kind: str) -> None:
    """One forward, two backward, and nothing else of anybody's."""
    problem = on_gpu(kind)
    forward = OPERATORS["render_gaussians"].kernel("cuda", "forward")
    backward = OPERATORS["render_gaussians"].kernel("cuda", "backward")
    widening = (problem.variance, problem.jitter)
    names = kernels_of(lambda: forward(*problem.inputs, 128, 128, *widening, torch.float32))
    assert len(names) == 1 and "render_gaussians_forward_kernel" in names[0]
    for memory_format in (torch.contiguous_format, torch.channels_last):
        ones = torch.ones(problem.shape, device="cuda").contiguous(memory_format=memory_format)
        names = kernels_of(lambda g=ones: backward(g, *problem.inputs, *widening, True, True, True))
        assert len(names) == 2 and all("render_gaussians_backward" in name for name in names)


def test_memory() -> None:
    """Nothing but the maps is allocated, and nothing but the arguments kept for backward."""
    problem = random_maps(4, 18, (256, 256), batch=32, kind="moved").to("cuda")
    mean, covariance, affine = problem.inputs
    assert covariance is not None and affine is not None
    affine.requires_grad_()

    def draw() -> Tensor:
        return ops.render_gaussians(mean, covariance, 256, affine)

    image = draw()
    size = image.numel() * image.element_size()
    assert extra_memory(draw) <= 1.05 * size
    gradient = torch.ones_like(image)
    assert extra_memory(lambda: torch.autograd.grad(image, affine, gradient)) <= 1 << 20


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", ["mixed", "moved"])
def test_channels_of_a_larger_image(backend: str, kind: str, dtype: torch.dtype) -> None:
    """Written into, and read from in the backward pass: the same bytes as contiguous maps."""
    problem = random_maps(5, 18, (64, 72), batch=3, kind=kind).to("cuda")
    owner = OPERATORS["render_gaussians"]
    widening, needs = (problem.variance, problem.jitter), (True,) * 3
    larger = torch.full((3, 64, 72, 21), torch.nan, device="cuda", dtype=dtype)
    out = larger.permute(0, 3, 1, 2)[:, 3:]
    owner.kernel(backend, "into")(*problem.inputs, *widening, out)
    plain = owner.kernel(backend, "forward")(*problem.inputs, 64, 72, *widening, dtype)
    assert torch.equal(out, plain) and larger[..., :3].isnan().all()
    gradient = gradient_for(problem).to("cuda", dtype)
    backward = owner.kernel(backend, "backward")
    found = backward(out.copy_(gradient), *problem.inputs, *widening, *needs)
    want = backward(gradient, *problem.inputs, *widening, *needs)
    assert all(torch.equal(a, b) for a, b in zip(found, want, strict=True))


def test_as_many_pixels_as_allowed(backend: str) -> None:
    """Almost 2^31 of them: addresses need 64 bits. The last rows are checked by the formula."""
    height, width = 32767, 65528
    mean = torch.tensor([[[0.5, 1.0]]], device="cuda")
    image = ops.render_gaussians(mean, 0.1, (height, width), dtype=torch.bfloat16, backend=backend)
    x = torch.linspace(-1, 1, width, dtype=torch.float64)
    for row in (0, height // 2, height - 1):
        y = row * 2 / (height - 1) - 1
        want = (-((x - 0.5).square() + (y - 1) ** 2) / 0.2).exp()
        assert error(image[0, 0, row].cpu(), want) < 5e-3


def test_the_library_serves() -> None:
    assert OPERATORS["render_gaussians"].owner("cuda") == "cuda"


def test_compiled() -> None:
    problem = on_gpu("moved", batch=4)
    mean, covariance, affine = problem.inputs
    assert covariance is not None and affine is not None

    def loss(affine: Tensor) -> Tensor:
        return ops.render_gaussians(mean, covariance, 64, affine).square().mean()

    affine.requires_grad_()
    (own,) = torch.autograd.grad(torch.compile(loss, fullgraph=True)(affine), affine)
    (want,) = torch.autograd.grad(loss(affine), affine)
    assert error(own, want) < 1e-6
