"""The loop: what a step does, what is written when, where it stops, what stops it."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from fastpose.errors import UserError
from fastpose.training.batches import Sources, to_batch
from fastpose.training.failure import TrainingFailed
from fastpose.training.loop import (
    Outputs,
    Schedule,
    check_finite,
    due,
    take_step,
    train,
    weighted_sum,
)
from fastpose.training.phases import Phase, Stage
from fastpose.training.signals import StopSignals
from fastpose.training.state import TrainState
from tests.training.tiny import (
    SOURCES,
    STAGES,
    RandomFrames,
    TinyModel,
    all_tensors,
    differing,
    make_state,
    tiny_run,
)


def one_batch(state: TrainState, stage: Stage) -> dict[str, Any]:
    from fastpose.training.batches import draw, initial_rng_states, make_generators

    arrays = draw(stage, SOURCES, make_generators(initial_rng_states(1)))
    return to_batch(arrays, state.device)


def in_main_stage() -> tuple[TrainState, Stage]:
    state = make_state()
    state.step = 7
    return state, state.enter_stage()


def test_a_step_is_the_textbooks_adam_with_clipping() -> None:
    state, stage = in_main_stage()
    twin = copy.deepcopy(state.model).requires_grad_(False)
    phase = dataclasses.replace(stage.phases[0], clip_norm=0.05)
    stage = dataclasses.replace(stage, phases=(phase,))
    state.stages = (STAGES[0], stage)
    state.rewind(7)
    state.enter_stage()
    for step in range(3):
        torch.manual_seed(step)
        values = take_step(state, stage, one_batch(state, stage), 0.5)

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
    take_step(state, stage, one_batch(state, stage), 1.0)
    moved = {
        name.split(".")[0]
        for name, p in state.model.named_parameters()
        if not torch.equal(p, before[name])
    }
    assert moved == {"encoder", "head"}
    assert state.model.critic.weight.grad is None


def test_every_loss_is_reported_and_those_without_weight_are_not_minimised() -> None:
    state, stage = in_main_stage()
    values = take_step(state, stage, one_batch(state, stage), 1.0)
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
def test_a_phase_that_is_not_finite_keeps_its_weights_and_moments(value: float) -> None:
    state, stage = in_main_stage()
    take_step(state, stage, one_batch(state, stage), 1.0)
    before = {n: t.clone() for n, t in all_tensors(state).items()}
    batch = one_batch(state, stage)
    batch["target"][0, 0, 0, 0] = value
    values = take_step(state, stage, batch, 1.0)
    with pytest.raises(TrainingFailed, match="phase 'detector': loss 'fooled' is NaN"):
        check_finite(values)
    after = all_tensors(state)
    kept = [n for n in before if n.startswith(("model.encoder.0", "model.head", "optimizer.det"))]
    assert len(kept) > 10
    assert all(torch.equal(before[n], after[n]) for n in kept)


def test_due() -> None:
    assert [step for step in range(1, 10) if due(step, 3)] == [3, 6, 9]
    assert not any(due(step, 0) for step in range(10))


class Recorder:
    """Stands in for everything the loop writes."""

    def __init__(self, signals: StopSignals | None = None, stop_at: int = -1) -> None:
        self.logged: list[int] = []
        self.sheets: list[int] = []
        self.checkpoints: list[int] = []
        self.signals, self.stop_at = signals, stop_at

    def step_done(self, state: TrainState, batch_size: int) -> None:
        if state.step == self.stop_at and self.signals is not None:
            import signal

            self.signals.received = signal.SIGTERM

    def write(self, state: TrainState, lr_factor: float) -> None:
        self.logged.append(state.step)
        state.metrics.clear()

    def outputs(self, failed: Path) -> Outputs:
        return Outputs(
            log=self,  # type: ignore[arg-type]
            checkpoint=lambda s: self.checkpoints.append(s.step),
            sheet=lambda s: self.sheets.append(s.step),
            failed=failed,
        )


def run(recorder: Recorder, failed: Path, *, stop: int, state: TrainState | None = None) -> None:
    schedule = Schedule(log_every=5, sheet_every=20, checkpoint_every=15)
    signals = recorder.signals or StopSignals()
    train(
        state or make_state(),
        SOURCES,
        recorder.outputs(failed),
        schedule,
        stop=stop,
        signals=signals,
    )


def test_what_is_written_when(tmp_path: Path) -> None:
    recorder = Recorder()
    run(recorder, tmp_path, stop=47)
    assert recorder.logged == [5, 7, 10, 15, 20, 25, 30, 35, 40, 45, 47]
    assert recorder.sheets == [7, 20, 40, 47]
    assert recorder.checkpoints == [7, 15, 30, 45, 47]


def test_stopping_between_checkpoints_writes_one(tmp_path: Path) -> None:
    recorder = Recorder()
    run(recorder, tmp_path, stop=17)
    assert recorder.checkpoints == [7, 15, 17] and recorder.logged == [5, 7, 10, 15]


def test_a_signal_stops_after_the_step_in_hand_with_a_checkpoint(tmp_path: Path) -> None:
    recorder = Recorder(StopSignals(), stop_at=9)
    run(recorder, tmp_path, stop=47)
    assert recorder.checkpoints == [7, 9]


def test_nothing_is_done_where_nothing_is_left(tmp_path: Path) -> None:
    state, recorder = make_state(), Recorder()
    state.step = 47
    run(recorder, tmp_path, stop=47, state=state)
    assert recorder.checkpoints == recorder.logged == []


def test_sheets_and_logs_have_no_influence_on_training(tmp_path: Path) -> None:
    often, never = make_state(), make_state()
    tiny_run(tmp_path / "a", state=often, log_every=1, checkpoint_every=2)
    torch.manual_seed(0)
    never.model.load_state_dict(make_state().model.state_dict())
    tiny_run(tmp_path / "b", state=never, log_every=100, checkpoint_every=0)
    assert differing(often, never) == []


def test_training_reaches_the_metrics_file(tmp_path: Path) -> None:
    tiny_run(tmp_path, stop=20, log_every=4)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(line["step"], line["stage"]) for line in lines] == [
        (4, "first"), (7, "first"), (8, "second"), (12, "second"), (16, "second"), (20, "second")
    ]  # fmt: skip
    assert "critic/total/gradient" in lines[-1] and "poses/score" in lines[0]
    assert not any("seconds" in key for line in lines for key in line)


def test_training_lowers_the_losses(tmp_path: Path) -> None:
    class Steady(TinyModel):
        def losses(self, batch, phase):
            if phase == "poses":
                return {"score": ((self.critic(batch["poses"].flatten(1)) - 3) ** 2).mean()}
            return super().losses(batch, phase)

    torch.manual_seed(0)
    stages = (dataclasses.replace(STAGES[0], steps=120),)
    state = TrainState(Steady(), stages, ema_decay=0.9, seed=0)
    tiny_run(tmp_path, state=state, stop=120, log_every=20, resumed=False)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["poses/score"] < 0.5 * lines[0]["poses/score"]


def test_running_out_of_memory_names_stage_and_batch_size(tmp_path: Path) -> None:
    class Hungry(TinyModel):
        def losses(self, batch, phase):
            raise torch.OutOfMemoryError("CUDA out of memory")

    state = TrainState(Hungry(), STAGES, ema_decay=0.0, seed=0)
    with pytest.raises(UserError, match="stage 'first': out of memory at batch size 5"):
        tiny_run(tmp_path, state=state)


def test_an_error_of_the_data_ends_training_and_spares_the_checkpoints(tmp_path: Path) -> None:
    class Damaged(RandomFrames):
        calls = 0

        def sample(self, batch, rng, share=slice(None)):
            self.calls += 1
            if self.calls == 9:
                raise UserError("clip 'x': frame 3 cannot be read")
            return super().sample(batch, rng, share)

    with pytest.raises(UserError, match="frame 3"):
        tiny_run(tmp_path, sources=Sources(Damaged(), SOURCES.poses), checkpoint_every=5)
    names = sorted(p.name for p in (tmp_path / "checkpoints").iterdir())
    assert names == ["step_000007", "step_000010", "step_000015"]
