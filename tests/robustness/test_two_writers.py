"""kill -9, a second writer and SIGTERM on a real run, through the command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.robustness.children import start, type_command
from tests.robustness.test_kill import wait_for
from tests.training.small_run import make_clips, make_prior

SMALL = ["model.width=2", "model.discriminator_width=2", "log_every=1", "sheet_every=9999"]


@pytest.mark.timeout(240)
def test_a_run_is_killed_defended_resumed_and_stopped(tmp_path: Path) -> None:
    clips, prior = make_clips(tmp_path / "clips"), make_prior(tmp_path / "prior.npz")
    run, said = tmp_path / "run", tmp_path / "said"
    words = ["train", "keypointgan", "--out", str(run), "--threads", "1"]
    new = [*words, "--data", str(clips), "--prior", str(prior), "--set", *SMALL]

    first = start(type_command, new, tmp_path / "first")
    wait_for(run / "metrics.jsonl")
    second = start(type_command, [*words, "--resume"], said)
    second.join(100)
    assert second.exitcode == 2
    error = [line for line in said.read_text().splitlines() if not line.startswith("note: ")]
    assert len(error) == 1 and error[0].startswith("fastpose: error: ")
    assert f"process {first.pid} is writing to this run" in error[0]
    assert first.is_alive()
    first.kill()
    first.join(100)
    assert (run / "lock").exists()  # of a dead process: in nobody's way

    (run / "metrics.jsonl").unlink()
    third = start(type_command, [*words, "--resume"], said)
    wait_for(run / "metrics.jsonl")
    assert third.pid is not None
    os.kill(third.pid, 15)
    third.join(100)
    assert third.exitcode == 143, said.read_text()
    assert "resuming at step" in said.read_text() and "stopped at step" in said.read_text()
    assert not (run / "lock").exists() and (run / "summary.json").exists()
