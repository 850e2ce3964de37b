"""The GPU owners of feature_distance on a GPU. Written without one: not yet run.

The generic tests of this folder and those of `feature_distance/` run on a GPU too; here is what
only a GPU has (streams, graphs, launches, real sizes). What can be seen without one is in
`test_feature_distance_cuda_on_cpu.py`, `test_feature_distance_triton.py` and
`test_cuda_machine_code.py`.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from fastpose import ops
from fastpose.ops.feature_distance.samples import random_problem
from fastpose.ops.registry import OPERATORS
from tests.cuda_on_cpu.feature_distance import CudaOnCpu, problem_of
from tests.cuda_on_cpu.problems import error
from tests.ops.gpu_tools import (
    Step,
    assert_can_be_captured,
    assert_no_synchronisation,
    assert_same_bytes_on_every_stream,
    assert_works_on_the_current_stream,
    extra_memory,
    kernels_of,
)

pytestmark = pytest.mark.gpu
OPERATOR = "feature_distance"
# The input and five taps of VGG-19, of 128 x 128 pixels.
VGG = ((3, 128), (64, 128), (128, 64), (256, 32), (512, 16), (512, 8))


def layers(
    batch: int = 4, dtype: torch.dtype = torch.float32, seed: int = 0
) -> tuple[list[Tensor], list[Tensor]]:
    """Features and targets as a network gives them under autocast, channels last."""
    source = torch.Generator("cuda").manual_seed(seed)

    def drawn(channels: int, side: int, dtype: torch.dtype) -> Tensor:
        x = torch.randn(batch, channels, side, side, generator=source, device="cuda")
        return x.to(dtype).contiguous(memory_format=torch.channels_last)

    kinds = [torch.float32] + [dtype] * (len(VGG) - 1)
    first, second = (
        [drawn(*s, dtype=k) for s, k in zip(VGG, kinds, strict=True)] for _ in range(2)
    )
    return first, second


def mask_of(batch: int = 4, side: int = 128) -> Tensor:
    source = torch.Generator("cuda").manual_seed(9)
    return torch.rand(batch, 1, side, side, generator=source, device="cuda")


def step_of(features: list[Tensor], targets: list[Tensor], backend: str, **more: Any) -> Step:
    """A forward and a backward from the same running means each time: loss, gradients, means."""

    def step() -> tuple[Tensor, ...]:
        leaves = [x.detach().requires_grad_() for x in features]
        mean = torch.full((len(features),), 2.0, device="cuda")
        started = torch.ones((), dtype=torch.bool, device="cuda")
        state = dict(running_mean=mean, started=started, update=True)
        loss = ops.feature_distance(leaves, targets, backend=backend, **state, **more)
        return loss.detach(), *torch.autograd.grad(10 * loss, leaves), mean

    return step


@pytest.mark.parametrize("norm", ["l2", "l1"])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_exact_enough(backend: str, dtype: torch.dtype, masked: bool, norm: str) -> None:
    features, targets = layers(dtype=dtype)
    more: dict[str, Any] = dict(norm=norm, mask=mask_of() if masked else None)
    found = step_of(features, targets, backend, **more)()
    want = step_of(features, targets, "reference", **more)()
    assert error(found[0], want[0]) < 1e-6 and error(found[-1], want[-1]) < 1e-6
    for got, expected in zip(found[1:-1], want[1:-1], strict=True):
        assert error(got, expected) < max(1e-6, torch.finfo(got.dtype).eps)


@pytest.mark.parametrize("seed", range(6))
def test_same_as_the_kernels_on_the_cpu(seed: int) -> None:
    """What the tests without a GPU check is what runs on one."""
    problem = problem_of(random_problem(seed, torch.float32))
    want = problem.run(CudaOnCpu())
    sample = random_problem(seed, torch.float32, "cuda")
    sample = sample.with_tensors(lambda t: t.requires_grad_())
    loss = sample.call(ops.feature_distance, backend="cuda")
    found = torch.autograd.grad(loss, sample.tensors())
    assert error(loss.detach().cpu(), want.loss) < 1e-6
    assert all(error(a.cpu(), b) < 1e-6 for a, b in zip(found, want.gradients, strict=True))


@pytest.mark.parametrize("masked", [False, True])
def test_streams_graphs_and_synchronisation(backend: str, masked: bool) -> None:
    features, targets = layers(dtype=torch.bfloat16)
    step = step_of(features, targets, backend, mask=mask_of() if masked else None)
    assert_no_synchronisation(step)
    assert_same_bytes_on_every_stream(step)
    assert_works_on_the_current_stream(step, features[1])
    others = [layers(dtype=torch.bfloat16, seed=seed)[0][1] for seed in range(1, 4)]
    assert_can_be_captured(step, features[1], others)


def test_running_means_move_in_a_graph() -> None:
    """Every replay is a step."""
    features, targets = layers()
    state: dict[str, Any] = dict(
        running_mean=torch.ones(6, device="cuda"),
        started=torch.zeros((), dtype=torch.bool, device="cuda"),
        update=True,
    )
    ops.feature_distance(features, targets, **state)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        ops.feature_distance(features, targets, **state)
    first = state["running_mean"].clone()
    targets[1].zero_()
    for _ in range(3):
        before = state["running_mean"].clone()
        graph.replay()
        assert not torch.equal(state["running_mean"][1], before[1])
    assert error(state["running_mean"][2:], first[2:]) < 1e-6


def test_launches() -> None:
    """One for all layers, one to add up, one for weights if there are; one backward."""
    features, targets = layers()
    for mask, launches in ((None, 2), (mask_of(), 3)):
        names = kernels_of(lambda m=mask: ops.feature_distance(features, targets, mask=m))
        assert len(names) == launches and all(OPERATOR in name for name in names)
    kernel = OPERATORS[OPERATOR].kernel("cuda", "backward")
    one, scale = torch.full((), 2.0, device="cuda"), torch.ones(6, device="cuda")
    names = kernels_of(lambda: kernel(one, scale, features))
    assert len(names) == 1 and "feature_distance_backward_kernel" in names[0]


def test_memory() -> None:
    """The gradients and a little for sums; nothing in the backward."""
    features, targets = layers(8)
    size = sum(x.numel() * x.element_size() for x in features)
    assert extra_memory(lambda: ops.feature_distance(features, targets)) <= 1 << 20
    for x in features:
        x.requires_grad_()
    assert extra_memory(lambda: ops.feature_distance(features, targets)) <= size + (2 << 20)
    loss = ops.feature_distance(features, targets)
    assert extra_memory(lambda: torch.autograd.grad(loss, features)) <= 1 << 20


def test_a_layer_of_almost_2_to_the_31_numbers(backend: str) -> None:
    """Addresses need 64 bits."""
    x = torch.zeros(1, 64, 5792, 5792, dtype=torch.bfloat16, device="cuda")
    assert 2**30 < x.numel() < 2**31
    y = torch.ones_like(x)
    y[:, :, -1] = 3
    loss = ops.feature_distance([x], [y], backend=backend)
    assert float(loss) == pytest.approx(1 + 8 / 5792, rel=1e-5)


def test_the_library_serves_the_gpu() -> None:
    assert OPERATORS[OPERATOR].owner("cuda") == "cuda"


def test_compiled() -> None:
    features, targets = layers()
    for x in features:
        x.requires_grad_()

    def loss(*features: Tensor) -> Tensor:
        return ops.feature_distance(features, targets, mask=None)

    own = torch.autograd.grad(torch.compile(loss, fullgraph=True)(*features), features)
    want = torch.autograd.grad(loss(*features), features)
    assert all(error(a, b) < 1e-6 for a, b in zip(own, want, strict=True))
