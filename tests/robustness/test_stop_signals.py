"""SIGINT and SIGTERM end training with a checkpoint; a second signal ends it at once."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from fastpose.training.checkpoint import find_checkpoint
from tests.robustness.children import context, start_tiny
from tests.robustness.test_kill import wait_for
from tests.training.tiny import SOURCES, STAGES, RandomFrames, tiny_run

LONG = {"checkpoint_every": 0, "log_every": 1}


def steps_logged(folder: Path) -> int:
    path = folder / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_training_within_two_steps(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    process = context().Process(target=train_slowly, args=(tmp_path,))
    process.start()
    wait_for(tmp_path / "metrics.jsonl")
    os.kill(process.pid, number)
    at_signal = steps_logged(tmp_path)
    process.join(30)
    assert process.exitcode == code
    saved = int(find_checkpoint(tmp_path).name.removeprefix("step_"))
    # One more where the step ended between the signal and the count.
    assert at_signal <= saved <= at_signal + 2
    assert tiny_run(tmp_path, stop=saved + 1).step == saved + 1


def train_slowly(folder: Path) -> None:
    """Steps of 50 ms, so that a signal falls within one."""
    import torch

    torch.set_num_threads(1)
    from fastpose.training.batches import Sources
    from fastpose.training.signals import StopSignals

    class Slow(RandomFrames):
        def sample(self, batch, rng):
            time.sleep(0.05)
            return super().sample(batch, rng)

    with StopSignals() as signals:
        sources = Sources(Slow(), SOURCES.poses)
        tiny_run(folder, sources=sources, signals=signals, **LONG)
    raise SystemExit(signals.exit_code)


def hang(folder: Path) -> None:
    """A step that takes for ever."""
    from fastpose.training.signals import StopSignals

    with StopSignals():
        (folder / "ready").touch()
        while True:
            time.sleep(0.05)


def test_a_second_signal_leaves_at_once(tmp_path: Path) -> None:
    process = context().Process(target=hang, args=(tmp_path,))
    process.start()
    wait_for(tmp_path / "ready")
    os.kill(process.pid, signal.SIGTERM)
    process.join(0.3)
    assert process.exitcode is None
    os.kill(process.pid, signal.SIGTERM)
    process.join(10)
    assert process.exitcode == 143


def test_a_stopped_run_resumes_to_the_same_end(tmp_path: Path) -> None:
    from tests.training.tiny import differing

    process = start_tiny(tmp_path / "a", **LONG)
    wait_for(tmp_path / "a/metrics.jsonl")
    process.terminate()
    process.join(30)
    assert process.exitcode in (143, 0)
    resumed = tiny_run(tmp_path / "a", **LONG)
    straight = tiny_run(tmp_path / "b", **LONG)
    assert differing(resumed, straight) == [] and resumed.step == sum(s.steps for s in STAGES)
    logs = [(tmp_path / name / "metrics.jsonl").read_bytes() for name in "ab"]
    assert logs[0] == logs[1]
