"""A step on a GPU: no host takes part in it, and one graph does it. Not yet run on a GPU."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from fastpose.training.loop import check_finite
from fastpose.training.phases import OFF, ON, Stage
from fastpose.training.state import TrainState
from fastpose.training.step import WARM_UP, Stepper
from tests.training.small_gan import keypoint_gan
from tests.training.tiny import all_tensors

pytestmark = pytest.mark.gpu
PRECISIONS = ("float32", "bfloat16")


@contextmanager
def no_synchronisation() -> Iterator[None]:
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def on_gpu(cuda_graph: str, precision: str = "float32") -> tuple[TrainState, Stage, dict]:
    return keypoint_gan(device="cuda", cuda_graph=cuda_graph, precision=precision)


def shifted(batch: dict[str, Tensor], step: int) -> dict[str, Tensor]:
    return {name: values * (1 - 0.01 * step) for name, values in batch.items()}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("cuda_graph", [OFF, ON])
def test_no_host_waits_for_a_step(cuda_graph: str, precision: str) -> None:
    state, stage, batch = on_gpu(cuda_graph, precision)
    steps = Stepper(state, pytest.fail)
    for step in range(WARM_UP + 1):
        waiting = steps.take(stage, step, shifted(batch, step))
    with no_synchronisation():
        for step in range(5):
            figures = steps.take(stage, step, shifted(batch, step))
            check_finite(waiting.read())  # of the step before
            waiting = figures
    check_finite(waiting.read())


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_graph_does_what_the_step_does(precision: str) -> None:
    found = []
    for cuda_graph in (OFF, ON):
        state, stage, batch = on_gpu(cuda_graph, precision)
        steps = Stepper(state, pytest.fail)
        torch.manual_seed(5)
        figures = [
            steps.take(stage, step, shifted(batch, step)).read() for step in range(WARM_UP + 3)
        ]
        found.append(figures)
    tolerance = 1e-3 if precision == "float32" else 5e-2
    for eager, graphed in zip(*found, strict=True):
        assert graphed == pytest.approx(eager, rel=tolerance, abs=tolerance)


@pytest.mark.parametrize("cuda_graph", [OFF, ON])
def test_after_a_step_that_is_not_finite_nothing_learns_until_it_is_mended(
    cuda_graph: str,
) -> None:
    state, stage, batch = on_gpu(cuda_graph)
    steps = Stepper(state, pytest.fail)
    for step in range(WARM_UP + 2):
        steps.take(stage, step, batch)
    buffers = [buffer.clone() for buffer in state.model.buffers()]
    before = {n: t.clone() for n, t in all_tensors(state).items()}
    spoilt = {**batch, "target": torch.full_like(batch["target"], math.nan)}
    spoilt_figures = steps.take(stage, step, spoilt)
    steps.take(stage, step, batch)
    assert not all(math.isfinite(value) for value in spoilt_figures.read().values())
    parameters = [n for n, _ in state.model.named_parameters()]
    after = all_tensors(state)
    kept = [f"{kind}.{n}" for n in parameters for kind in ("model", "ema")]
    kept += [n for n in before if n.startswith("optimizer")]
    assert all(torch.equal(before[n], after[n]) for n in kept)
    torch._foreach_copy_(list(state.model.buffers()), buffers)
    steps.mend()
    check_finite(steps.take(stage, step, batch).read())


def test_graphs_of_several_stages_follow_each_other() -> None:
    state, stage, batch = on_gpu(ON)
    steps = Stepper(state, pytest.fail)
    for _ in range(2):
        for step in range(WARM_UP + 2):
            check_finite(steps.take(stage, step, batch).read())
        state.rewind(0)
        state.enter_stage()
