"""What is said and kept when a step gives NaN."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch

from fastpose.errors import UserError
from fastpose.training.batches import Prepared, Sources, draw, make_generators
from fastpose.training.failure import TrainingFailed, dump_failure
from fastpose.training.phases import Stage
from fastpose.training.state import TrainState
from fastpose.training.step import Figures, Launched
from tests.training.tiny import SOURCES, STAGES, RandomPoses, make_state, tiny_run


@pytest.mark.parametrize(
    ("figure", "value", "message"),
    [
        ("generator/adversarial", math.nan, "phase 'generator': loss 'adversarial' is NaN"),
        ("critic/total", math.inf, "phase 'critic': loss 'total' is infinite"),
        ("critic/total/gradient", math.nan, "phase 'critic': the gradient's norm is NaN"),
        ("critic/total/weights", -math.inf, "the weights after the update is infinite"),
    ],
)
def test_the_error_names_phase_and_figure(figure: str, value: float, message: str) -> None:
    assert message in str(TrainingFailed(figure, value))


def launched(state: TrainState, number: int, stage: Stage, arrays: Any) -> Launched:
    figures = Figures((), torch.zeros(0))
    rng = torch.get_rng_state()
    return Launched(number, stage, 0, Prepared(arrays, {}), {}, rng, state.rng_states, figures)


def test_the_batch_and_the_generators_are_kept(tmp_path: Path) -> None:
    state = make_state()
    generators = make_generators(state.rng_states)
    arrays = draw(STAGES[1], SOURCES, generators)
    before = torch.get_rng_state()
    failure = TrainingFailed("detector/fooled", math.nan)
    folder = dump_failure(failure, state, launched(state, 10, STAGES[1], arrays), tmp_path)
    assert folder == tmp_path / "step_000010"
    kept = safetensors.numpy.load_file(tmp_path / "step_000010/batch.safetensors")
    assert all(np.array_equal(kept[name], arrays[name]) for name in arrays)
    record = json.loads((tmp_path / "step_000010/failure.json").read_text())
    assert (record["step"], record["stage"], record["figure"]) == (10, "second", "detector/fooled")
    assert bytes.fromhex(record["rng_before"]["torch"]) == before.numpy().tobytes()
    again = draw(STAGES[1], SOURCES, make_generators(record["rng_before"]))
    assert all(np.array_equal(again[name], arrays[name]) for name in arrays)


def test_the_newest_batches_are_kept(tmp_path: Path) -> None:
    state, failure = make_state(), TrainingFailed("poses/score", math.nan)
    arrays = draw(STAGES[0], SOURCES, make_generators(state.rng_states))
    for number in range(7, 21):
        dump_failure(failure, state, launched(state, number, STAGES[0], arrays), tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"step_{n:06d}" for n in range(11, 21)]


def test_a_run_that_fails_says_so_in_one_line_and_spares_the_checkpoints(tmp_path: Path) -> None:
    class Poisoned(RandomPoses):
        calls = 0

        def sample(self, n, rng):
            poses = super().sample(n, rng)
            self.calls += 1
            if self.calls == 23:
                poses[1, 2, 0] = np.nan
            return poses

    sources = Sources(SOURCES.frames, Poisoned())
    with pytest.raises(UserError) as caught:
        tiny_run(tmp_path, sources=sources, checkpoint_every=10)
    text = str(caught.value)
    assert text.startswith("step 23, phase 'critic': loss 'real' is NaN") and "\n" not in text
    names = sorted(p.name for p in (tmp_path / "checkpoints").iterdir())
    assert names == ["step_000007", "step_000010", "step_000020"]
    kept = safetensors.numpy.load_file(tmp_path / "failed/step_000023/batch.safetensors")
    assert np.isnan(kept["poses"][1, 2, 0])
    # Without the cause the run goes on from its last checkpoint.
    assert tiny_run(tmp_path).step == 47
