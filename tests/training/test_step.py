"""A step: what it does, that no host takes part in it, and that it can be a graph."""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from fastpose.errors import UserError
from fastpose.training.failure import TrainingFailed
from fastpose.training.loop import check_finite
from fastpose.training.phases import AUTO, ON, Phase, Stage
from fastpose.training.state import TrainState
from fastpose.training.step import WARM_UP, Stepper, weighted_sum
from tests.training.recorded import HostRead, RecordedGraphs, no_host_reads
from tests.training.small_gan import keypoint_gan
from tests.training.tiny import STAGES, all_tensors, differing, in_main_stage, one_batch


def stepper(state: TrainState, **options: Any) -> Stepper:
    return Stepper(state, print, **options)


def test_a_step_is_the_textbooks_adam_with_clipping() -> None:
    state, stage = in_main_stage()
    twin = copy.deepcopy(state.model).requires_grad_(False)
    phase = dataclasses.replace(stage.phases[0], clip_norm=0.05)
    stage = dataclasses.replace(stage, phases=(phase,), lr_final=0.5, decay_from=0.0, steps=40)
    state.stages = (STAGES[0], stage)
    state.rewind(7)
    state.enter_stage()
    steps = stepper(state)
    for step in range(3):
        torch.manual_seed(step)
        values = steps.take(stage, 40, one_batch(state, stage)).read()

    parameters = [*twin.encoder.parameters(), *twin.head.parameters()]
    plain = torch.optim.Adam(parameters, lr=phase.optimizer.lr * 0.5, betas=phase.optimizer.betas)
    for step in range(3):
        torch.manual_seed(step)
        for parameter in parameters:
            parameter.requires_grad_(True)
        losses = twin.losses(one_batch(state, stage), "detector")
        total = losses["fooled"] - 0.1 * losses["spread"]
        plain.zero_grad()
        total.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, 0.05)
        plain.step()
    assert values["detector/total"] == pytest.approx(float(total.detach()), rel=1e-5)
    assert values["detector/total/gradient"] == pytest.approx(float(norm), rel=1e-4)
    for name, value in twin.named_parameters():
        if name == "encoder.0.bias":
            continue  # batch normalisation takes it out again: its gradient is rounding noise
        torch.testing.assert_close(value, state.model.get_parameter(name), rtol=1e-4, atol=1e-6)


def test_a_phase_moves_its_own_modules_alone() -> None:
    state, stage = in_main_stage()
    before = {n: p.clone() for n, p in state.model.named_parameters()}
    stage = dataclasses.replace(stage, phases=stage.phases[:1])
    stepper(state).take(stage, 0, one_batch(state, stage))
    moved = {
        name.split(".")[0]
        for name, p in state.model.named_parameters()
        if not torch.equal(p, before[name])
    }
    assert moved == {"encoder", "head"}
    assert state.model.critic.weight.grad is None


def test_every_loss_is_reported_and_those_without_weight_are_not_minimised() -> None:
    state, stage = in_main_stage()
    values = stepper(state).take(stage, 0, one_batch(state, stage)).read()
    detector = {n.removeprefix("detector/") for n in values if n.startswith("detector/")}
    figures = {"total", "total/gradient", "total/weights"}
    assert detector == {"fooled", "spread", "extra"} | figures
    expected = values["detector/fooled"] - 0.1 * values["detector/spread"]
    assert values["detector/total"] == pytest.approx(expected)


def test_a_loss_that_the_model_does_not_give_is_named() -> None:
    phase = Phase("p", ("m",), {"seen": 1.0, "unseen": 2.0})
    with pytest.raises(UserError, match="weighs the loss 'unseen', but the model gives only seen"):
        weighted_sum({"seen": torch.tensor(1.0)}, phase)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_after_a_step_that_is_not_finite_nothing_learns_until_it_is_mended(value: float) -> None:
    state, stage = in_main_stage()
    steps = stepper(state)
    steps.take(stage, 0, one_batch(state, stage))
    before = {n: t.clone() for n, t in all_tensors(state).items()}
    batch = one_batch(state, stage)
    batch["target"][0, 0, 0, 0] = value
    values = steps.take(stage, 1, batch).read()
    with pytest.raises(TrainingFailed, match="phase 'detector': loss 'fooled' is NaN"):
        check_finite(values)
    steps.take(stage, 2, one_batch(state, stage))
    after = all_tensors(state)
    statistics = ("running", "tracked", "pool")
    kept = [n for n in before if not any(word in n for word in statistics)]
    assert len(kept) > 20 and any(n.startswith("ema") for n in kept)
    assert all(torch.equal(before[n], after[n]) for n in kept)
    state.model.load_state_dict({n: before[f"model.{n}"] for n in state.model.state_dict()})
    steps.mend()
    check_finite(steps.take(stage, 2, one_batch(state, stage)).read())
    moved = [n for n in kept if not torch.equal(before[n], all_tensors(state)[n])]
    assert {n.split(".")[0] for n in moved} == {"model", "ema", "optimizer"}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_no_host_takes_part_in_a_step(precision: str, monkeypatch) -> None:
    state, stage, batch = keypoint_gan()
    state.precision = precision
    # What the host draws itself it may look at.
    chosen = state.model.choose(2, ["discriminator"])
    monkeypatch.setattr(state.model, "choose", lambda *_: chosen)
    steps = stepper(state)
    with no_host_reads():
        found = [steps.take(stage, step, batch) for step in range(2)]
    for figures in found:
        check_finite(figures.read())


@pytest.mark.parametrize(
    "read",
    [
        lambda x: x.sum().item(),
        lambda x: x.tolist(),
        lambda x: float(x.sum()),
        lambda x: bool(x.sum() > 0),
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
        lambda x: x.numpy(),
    ],
)
def test_that_a_host_would_be_noticed(read: Any) -> None:
    with pytest.raises(HostRead), no_host_reads():
        read(torch.ones(3))


def take(state: TrainState, stage: Stage, batch: dict, count: int, **options: Any) -> list[dict]:
    steps, found = stepper(state, **options), []
    torch.manual_seed(5)
    for step in range(count):
        shifted = {k: v * (1 - 0.01 * step) for k, v in batch.items()}
        found.append(steps.take(stage, step, shifted).read())
    return found


@pytest.mark.parametrize("model", ["tiny", "keypoint_gan"])
def test_a_graph_does_what_the_step_does(model: str, monkeypatch) -> None:
    monkeypatch.setattr(TrainState, "wants_graph", lambda self: self.cuda_graph == AUTO)
    states = []
    for cuda_graph in ("off", AUTO):
        if model == "keypoint_gan":
            states.append(keypoint_gan(cuda_graph=cuda_graph))
        else:
            state, stage = in_main_stage()
            state.cuda_graph = cuda_graph
            states.append((state, stage, one_batch(state, stage)))
    (eager, stage, batch), (graphed, *_) = states
    graphs = RecordedGraphs(graphed)
    expected = take(eager, stage, batch, WARM_UP + 4)
    assert take(graphed, stage, batch, WARM_UP + 4, graphs=graphs) == expected
    assert (graphs.captures, graphs.replays) == (1, 4)
    assert differing(eager, graphed) == []


def test_a_step_that_cannot_be_a_graph_goes_on_without_or_says_so(monkeypatch) -> None:
    monkeypatch.setattr(TrainState, "wants_graph", lambda self: True)

    def reads(state: TrainState) -> None:
        real = state.model.losses

        def losses(batch: dict, phase: str) -> dict[str, Tensor]:
            found = real(batch, phase)
            if float(next(iter(found.values())).detach()) > 1e9:
                raise AssertionError
            return found

        monkeypatch.setattr(state.model, "losses", losses)

    plain, stage = in_main_stage()
    batch = one_batch(plain, stage)
    expected = take(plain, stage, batch, WARM_UP + 2, graphs=RecordedGraphs(plain))
    state, stage = in_main_stage()
    reads(state)
    said: list[str] = []
    steps = Stepper(state, said.append, RecordedGraphs(state))
    torch.manual_seed(5)
    for step in range(WARM_UP + 2):
        found = steps.take(stage, step, {k: v * (1 - 0.01 * step) for k, v in batch.items()}).read()
        assert found == expected[step]
    assert said == ["note: a step is not one CUDA graph: __float__ reads a tensor"]
    state.cuda_graph = ON
    steps = Stepper(state, said.append, RecordedGraphs(state))
    with pytest.raises(UserError, match="cuda_graph: a step cannot be one graph"):
        for step in range(WARM_UP + 1):
            steps.take(stage, step, batch)


def test_a_graph_that_is_demanded_needs_a_gpu() -> None:
    with pytest.raises(UserError, match=r"cuda_graph=on: .* on one GPU alone"):
        keypoint_gan(cuda_graph=ON)
    assert not keypoint_gan(cuda_graph=AUTO)[0].wants_graph()
