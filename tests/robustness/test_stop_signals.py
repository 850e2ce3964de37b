"""SIGINT and SIGTERM end training with a checkpoint; a second signal ends it at once."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastpose.media.images import write_image
from fastpose.training.checkpoint import find_checkpoint
from tests.robustness.children import start, start_tiny
from tests.robustness.conftest import Tally
from tests.robustness.counts import count
from tests.robustness.test_kill import wait_for
from tests.training.tiny import STAGES, RandomFrames, differing, tiny_run

pytestmark = pytest.mark.timeout(240)
LONG = {"checkpoint_every": 0, "log_every": 1}


class SlowFrames(RandomFrames):
    """Steps of 50 ms, so that a signal falls within one."""

    def sample(
        self, batch: int, rng: np.random.Generator, share: slice = slice(None)
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        time.sleep(0.05)
        return super().sample(batch, rng, share)


@pytest.mark.parametrize("trial", range(count(1, 5)))
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_training_within_two_steps(
    tmp_path: Path, number: signal.Signals, code: int, trial: int, tally: Tally
) -> None:
    process = start_tiny(tmp_path, frames=SlowFrames(), **LONG)
    wait_for(tmp_path / "metrics.jsonl")
    time.sleep(0.2 + 0.13 * trial)
    assert process.pid is not None
    os.kill(process.pid, number)
    at_signal = (tmp_path / "metrics.jsonl").read_bytes().count(b"\n")
    process.join(100)
    assert process.exitcode == code
    saved = int(find_checkpoint(tmp_path).name.removeprefix("step_"))
    assert at_signal <= saved <= at_signal + 2
    assert tiny_run(tmp_path, stop=saved + 1).step == saved + 1
    tally(f"{number.name}: a checkpoint within two steps, exit code {code}")


def hang(folder: Path) -> None:
    """A step that takes for ever."""
    from fastpose.training.signals import StopSignals

    with StopSignals():
        (folder / "ready").touch()
        while True:
            time.sleep(0.05)


def test_a_second_signal_leaves_at_once(tmp_path: Path) -> None:
    process = start(hang, tmp_path)
    wait_for(tmp_path / "ready")
    assert process.pid is not None
    os.kill(process.pid, signal.SIGTERM)
    process.join(0.3)
    assert process.exitcode is None
    os.kill(process.pid, signal.SIGTERM)
    process.join(100)
    assert process.exitcode == 143


def prepare_slowly(folder: Path) -> None:
    """The verb, caught in the middle of its first clip."""
    from fastpose.cli import main
    from fastpose.data.clips import ClipWriter

    add = ClipWriter.add

    def add_and_wait(writer: ClipWriter, *arguments: Any, **options: Any) -> str:
        name = add(writer, *arguments, **options)
        (folder / "ready").touch()
        time.sleep(100)
        return name

    ClipWriter.add = add_and_wait
    # As at a terminal: what a shell starts in the background, tests too, ignores it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    words = ["prepare", str(folder / "frames"), "--out", str(folder / "clips")]
    raise SystemExit(main([*words, "--crop", "full", "--layout", "frames"]))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_verb_that_is_stopped_leaves_nothing_half_made(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    (tmp_path / "frames").mkdir()
    for i in range(4):
        frame = np.full((64, 64, 3), 40 * i, np.uint8)
        write_image(tmp_path / f"frames/{i}.png", frame)
    process = start(prepare_slowly, tmp_path)
    wait_for(tmp_path / "ready")
    assert len(list(tmp_path.glob(".clips.tmp-*"))) == 1 and process.pid is not None
    os.kill(process.pid, number)
    process.join(100)
    assert process.exitcode == code
    assert sorted(p.name for p in tmp_path.iterdir()) == ["frames", "ready"]


def test_a_stopped_run_resumes_to_the_same_end(tmp_path: Path) -> None:
    process = start_tiny(tmp_path / "a", **LONG)
    wait_for(tmp_path / "a/metrics.jsonl")
    process.terminate()
    process.join(100)
    assert process.exitcode in (143, 0)
    resumed = tiny_run(tmp_path / "a", **LONG)
    straight = tiny_run(tmp_path / "b", **LONG)
    assert differing(resumed, straight) == [] and resumed.step == sum(s.steps for s in STAGES)
    logs = [(tmp_path / name / "metrics.jsonl").read_bytes() for name in "ab"]
    assert logs[0] == logs[1]
