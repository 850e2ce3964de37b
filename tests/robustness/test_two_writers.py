"""Two writers on one run directory; and a real run killed, defended and stopped on the way."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from fastpose.errors import UserError
from fastpose.training.run_lock import RunLock
from tests.robustness.children import start, type_command
from tests.robustness.conftest import Tally
from tests.robustness.counts import count
from tests.robustness.test_kill import wait_for, wait_until
from tests.training.small_run import make_clips, make_prior

SMALL = ["model.width=2", "model.discriminator_width=2", "log_every=1", "sheet_every=9999"]


@pytest.mark.timeout(240)
def test_a_run_is_killed_defended_resumed_and_stopped(tmp_path: Path, tally: Tally) -> None:
    clips, prior = make_clips(tmp_path / "clips"), make_prior(tmp_path / "prior.npz")
    run, said = tmp_path / "run", tmp_path / "said"
    words = ["train", "keypointgan", "--out", str(run), "--threads", "1"]
    new = [*words, "--data", str(clips), "--prior", str(prior), "--set", *SMALL]

    first = start(type_command, new, tmp_path / "first")
    wait_for(run / "metrics.jsonl")
    for mode in ("--resume", "--overwrite")[: count(1, 2)]:
        second = start(type_command, [*new, mode], said)
        second.join(100)
        assert second.exitcode == 2
        error = [line for line in said.read_text().splitlines() if not line.startswith("note: ")]
        assert len(error) == 1 and error[0].startswith("fastpose: error: ")
        assert f"process {first.pid} is writing to this run" in error[0]
        assert first.is_alive() and (run / "metrics.jsonl").exists()
        tally("two writers: the second finds a run in use")
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


WRITERS = 4


def write_once_told(folder: Path, name: str) -> None:
    """Ask for the lock when ``folder/go`` appears; leaves ``held`` or ``refused`` behind."""
    (folder / f"ready_{name}").touch()
    while not (folder / "go").exists():
        pass
    try:
        with RunLock(folder):
            (folder / f"held_{name}").touch()
            while not (folder / "end").exists():
                time.sleep(0.01)
    except UserError:
        (folder / f"refused_{name}").touch()


@pytest.mark.parametrize("trial", range(count(1, 5)))
def test_of_writers_that_start_together_one_writes(
    tmp_path: Path, trial: int, tally: Tally
) -> None:
    writers = [start(write_once_told, tmp_path, str(i)) for i in range(WRITERS)]
    for i in range(WRITERS):
        wait_for(tmp_path / f"ready_{i}")
    (tmp_path / "go").touch()
    wait_until(lambda: len([*tmp_path.glob("refused_*")]) == WRITERS - 1)
    wait_until(lambda: any(tmp_path.glob("held_*")))
    assert len([*tmp_path.glob("held_*")]) == 1
    (tmp_path / "end").touch()
    for writer in writers:
        writer.join(100)
        assert writer.exitcode == 0
    tally(f"two writers: {WRITERS} start together, one writes")
