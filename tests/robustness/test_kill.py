"""kill -9 at random moments: training goes on from a complete checkpoint, to the same end."""

from __future__ import annotations

import random
import time
from pathlib import Path

import torch

from fastpose.training.checkpoint import find_checkpoint
from tests.robustness.children import start_tiny
from tests.training.tiny import differing, tiny_run

KILLS = 10
OPTIONS = {"checkpoint_every": 2, "log_every": 3, "keep": 2}


def wait_for(path: Path, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} did not appear"
        time.sleep(0.002)


def test_ten_kills_lose_at_most_one_interval_and_change_nothing(tmp_path: Path) -> None:
    moments = random.Random(7)
    run, checkpoints = tmp_path / "killed", tmp_path / "killed/checkpoints"
    steps = [0]
    for _ in range(KILLS):
        process = start_tiny(run, **OPTIONS)
        wait_for(run / "ready")
        time.sleep(moments.uniform(0.0, 0.25))
        process.kill()
        process.join(30)
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
