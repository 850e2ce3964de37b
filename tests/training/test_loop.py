"""The loop: what a step does, what is written when, where it stops, what stops it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from fastpose.errors import UserError
from fastpose.training.batches import Sources
from fastpose.training.loop import Outputs, Schedule, due, train
from fastpose.training.signals import StopSignals
from fastpose.training.state import TrainState
from tests.training.tiny import (
    SOURCES,
    STAGES,
    RandomFrames,
    TinyModel,
    differing,
    make_state,
    tiny_run,
)


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

    def say(self, message: str) -> None:
        raise AssertionError(message)

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
