"""kill -9 at random moments: training goes on from a complete checkpoint, to the same end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random

import pytest
import torch

from fastpose.training.checkpoint import find_checkpoint
from tests.robustness.children import start_tiny
from tests.robustness.conftest import Tally
from tests.robustness.counts import count
from tests.training.tiny import differing, tiny_run

KILLS = count(10, 30)
OPTIONS = {"checkpoint_every": 2, "log_every": 3, "keep": 2}


def wait_until(condition: Callable[[], bool], seconds: float = count(100, 300)) -> None:
    """Look again and again; the limit is for machines that are busy with other things."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not happen"
        time.sleep(0.002)


def wait_for(path: Path) -> None:
    wait_until(path.exists)


def names(folder: Path) -> set[str]:
    return set(os.listdir(folder)) if folder.is_dir() else set()


def kill_at_a_random_moment(process: BaseProcess, checkpoints: Path, moments: Random) -> None:
    """After up to 4 folders have been begun or renamed, and up to 10 ms."""
    seen, wanted = names(checkpoints), moments.randrange(5)
    fresh: set[str] = set()

    def enough() -> bool:
        fresh.update(names(checkpoints) - seen)
        return len(fresh) >= wanted or not process.is_alive()

    wait_until(enough)
    time.sleep(moments.uniform(0.0, 0.01))
    process.kill()
    process.join(100)


@pytest.mark.timeout(count(240, 600))
def test_kills_lose_at_most_one_interval_and_change_nothing(tmp_path: Path, tally: Tally) -> None:
    moments = Random(7)
    run, checkpoints = tmp_path / "killed", tmp_path / "killed/checkpoints"
    steps = [0]
    for _ in range(KILLS):
        process = start_tiny(run, **OPTIONS)
        wait_for(run / "ready")
        kill_at_a_random_moment(process, checkpoints, moments)
        assert process.exitcode in (-9, 0)
        if not checkpoints.is_dir() or not any(checkpoints.glob("step_*")):
            continue
        passed_over: list[str] = []
        newest = find_checkpoint(run, report=passed_over.append)
        # Every folder that bears a step's name is whole: none has to be passed over.
        assert passed_over == []
        steps.append(int(newest.name.removeprefix("step_")))
        lines = (run / "metrics.jsonl").read_bytes() if (run / "metrics.jsonl").exists() else b""
        assert lines.count(b"\n") * 3 <= steps[-1] + 2 * OPTIONS["checkpoint_every"] + 3
    assert steps == sorted(steps), "a kill lost more than what was done since the last checkpoint"
    ended = tiny_run(run, **OPTIONS)
    straight = tiny_run(tmp_path / "straight", **OPTIONS)
    assert differing(ended, straight) == []
    assert (run / "metrics.jsonl").read_bytes() == (
        tmp_path / "straight/metrics.jsonl"
    ).read_bytes()
    assert list(checkpoints.glob(".step_*")) == []
    assert ended.step == 47 and torch.isfinite(ended.model.get_parameter("head.weight")).all()
    assert steps[-1] > 0
    tally("kill -9 at a random moment", KILLS)
