"""NaN put into batch, loss, gradient, weight and optimizer, in every phase: caught in that step."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fastpose.errors import UserError
from fastpose.training import loop
from fastpose.training.phases import Phase
from fastpose.training.state import TrainState
from tests.robustness.conftest import Tally
from tests.robustness.test_disk_full import tree
from tests.training.tiny import tiny_run

PHASES = {"poses": 3, "detector": 20, "critic": 20}  # the phase, and a step of its stage


def poison(tensor: torch.Tensor) -> None:
    """NaN in the first place."""
    tensor[(0,) * tensor.ndim] = math.nan


def phase_of(state: TrainState, name: str) -> Phase:
    return next(p for p in state.enter_stage().phases if p.name == name)


def in_batch(state: TrainState, phase: str, monkeypatch) -> None:
    real = loop.to_batch

    def poisoned(*args: object) -> dict[str, torch.Tensor]:
        batch = real(*args)  # type: ignore[arg-type]
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
