"""NaN put into batch, loss, gradient, weight and optimizer, in every phase: caught in that step."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection
from pathlib import Path

import pytest
import torch

from fastpose.errors import UserError
from fastpose.training import loop
from fastpose.training.phases import Phase
from fastpose.training.state import TrainState
from tests.robustness.conftest import Tally
from tests.robustness.test_disk_full import tree
from tests.training.tiny import all_tensors, differing, make_state, tiny_run

ALL = range(1 << 30)
PHASES = {"poses": 3, "detector": 20, "critic": 20}  # the phase, and a step of its stage


def poison(tensor: torch.Tensor) -> None:
    """NaN in the first place."""
    tensor[(0,) * tensor.ndim] = math.nan


def phase_of(state: TrainState, name: str) -> Phase:
    return next(p for p in state.enter_stage().phases if p.name == name)


def in_batch(state: TrainState, phase: str, monkeypatch, steps: Collection[int] = ALL) -> None:
    real = loop.to_batch

    def poisoned(*args: object) -> dict[str, torch.Tensor]:
        batch = real(*args)  # type: ignore[arg-type]
        if state.step + 1 in steps:
            poison(batch["target" if phase == "detector" else "poses"])
        return batch

    monkeypatch.setattr(loop, "to_batch", poisoned)


def in_loss(state: TrainState, phase: str, monkeypatch) -> None:
    real = state.model.losses

    def losses(batch: dict, name: str) -> dict[str, torch.Tensor]:
        found = real(batch, name)
        if name == phase:
            first = next(iter(found))
            found[first] = found[first] * math.inf
        return found

    monkeypatch.setattr(state.model, "losses", losses)


def in_gradient(state: TrainState, phase: str, monkeypatch) -> None:
    parameter = state.parameters_of(phase_of(state, phase))[0]
    parameter.requires_grad_(True)
    parameter.register_post_accumulate_grad_hook(lambda p: poison(p.grad))


def in_weight(state: TrainState, phase: str, monkeypatch) -> None:
    with torch.no_grad():
        poison(state.parameters_of(phase_of(state, phase))[0])


def in_optimizer(state: TrainState, phase: str, monkeypatch) -> None:
    optimizer = state.optimizers[phase]
    parameter = next(iter(optimizer.state))
    optimizer.state[parameter]["exp_avg"].fill_(math.nan)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize(
    "inject",
    [in_batch, in_loss, in_gradient, in_weight, in_optimizer],
    ids=lambda f: f.__name__,
)
def test_it_is_caught_in_the_same_step(
    tmp_path: Path, monkeypatch, inject: Callable[..., None], phase: str, tally: Tally
) -> None:
    step = PHASES[phase]
    state = tiny_run(tmp_path, stop=step, checkpoint_every=5)
    before = tree(tmp_path / "checkpoints")
    inject(state, phase, monkeypatch)
    with pytest.raises(UserError) as caught:
        tiny_run(tmp_path, state=state, resumed=False, checkpoint_every=1)
    text = str(caught.value)
    assert text.startswith(f"step {step + 1}, phase '") and "\n" not in text
    if inject is not in_weight:  # which another phase may be the first to see
        assert f"phase '{phase}'" in text
    assert tree(tmp_path / "checkpoints") == before
    kept = tmp_path / f"failed/step_{step + 1:06d}"
    assert sorted(p.name for p in kept.iterdir()) == ["batch.safetensors", "failure.json"]
    tally("NaN or infinity in batch, loss, gradient, weight or optimizer")


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_three_in_a_row_are_skipped_and_counted(tmp_path: Path, monkeypatch) -> None:
    state = make_state()
    in_batch(state, "detector", monkeypatch, {12, 13, 14, 30})
    tiny_run(tmp_path, state=state, skip=3)
    assert (state.skipped, state.skipped_in_a_row, state.step) == (4, 0, 47)
    assert all(torch.isfinite(t).all() for t in all_tensors(state).values())
    assert [line.get("skipped") for line in lines(tmp_path)[3:6]] == [1, 3, 3]  # 12, 16, 20
    assert lines(tmp_path)[-1]["skipped"] == 4
    assert len(list((tmp_path / "failed").iterdir())) == 4


def test_a_fourth_in_a_row_ends_training(tmp_path: Path, monkeypatch) -> None:
    state = make_state()
    in_batch(state, "detector", monkeypatch, range(12, 16))
    with pytest.raises(UserError, match="step 15, phase 'detector': loss 'fooled' is NaN"):
        tiny_run(tmp_path, state=state, skip=3)
    assert state.skipped == 3


def test_a_skipped_step_leaves_buffers_averages_and_its_phase_alone(
    tmp_path: Path, monkeypatch
) -> None:
    state = tiny_run(tmp_path, stop=20)
    before = {name: tensor.clone() for name, tensor in all_tensors(state).items()}
    in_batch(state, "detector", monkeypatch, {21})
    in_loss(state, "critic", monkeypatch)
    tiny_run(tmp_path, stop=21, state=state, resumed=False, skip=1)
    after = all_tensors(state)
    assert state.skipped_in_a_row == 1
    assert [name for name in before if not torch.equal(before[name], after[name])] == []


def test_weights_that_are_not_finite_are_never_skipped(tmp_path: Path, monkeypatch) -> None:
    state = tiny_run(tmp_path, stop=20)
    in_optimizer(state, "detector", monkeypatch)
    with pytest.raises(UserError, match="step 21, phase 'detector': the weights after the update"):
        tiny_run(tmp_path, state=state, resumed=False, skip=3)


def test_what_is_noticed_one_step_late_is_undone_exactly(tmp_path: Path, monkeypatch) -> None:
    states = []
    for log_every in (1, 100):  # a step that is logged is read at once
        state = make_state()
        with monkeypatch.context() as patch:
            in_batch(state, "detector", patch, {12, 13, 20, 46})
            tiny_run(tmp_path / str(log_every), state=state, log_every=log_every, skip=3)
        states.append(state)
    assert differing(*states) == [] and states[0].skipped == states[1].skipped == 4


def test_a_run_that_skips_resumes_exactly(tmp_path: Path, monkeypatch) -> None:
    states = []
    for name, pieces in (("straight", (47,)), ("pieces", (13, 47))):
        for stop in pieces:
            state = make_state()
            with monkeypatch.context() as patch:
                in_batch(state, "detector", patch, {12, 13, 14})
                tiny_run(tmp_path / name, state=state, stop=stop, skip=3)
        states.append(state)
    assert differing(*states) == [] and states[0].skipped == states[1].skipped == 3
    assert lines(tmp_path / "straight") == lines(tmp_path / "pieces")
    for name in ("straight", "pieces"):
        (tmp_path / name).rename(tmp_path / f"{name}-done")
    # Two skipped, stopped, and two more: four in a row, also for who resumes.
    with monkeypatch.context() as patch:
        state = make_state()
        in_batch(state, "detector", patch, range(12, 16))
        tiny_run(tmp_path / "pieces", state=state, stop=13, skip=3)
    state = make_state()
    in_batch(state, "detector", monkeypatch, range(12, 16))
    with pytest.raises(UserError, match="step 15"):
        tiny_run(tmp_path / "pieces", state=state, skip=3)
