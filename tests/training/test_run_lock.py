"""One writer at a time; locks of the dead are taken over."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fastpose.errors import UserError
from fastpose.training.run_lock import RunLock


def test_the_file_names_its_process_and_goes_with_it(tmp_path: Path) -> None:
    with RunLock(tmp_path) as lock:
        owner = json.loads(lock.path.read_text())
        assert owner == {"pid": os.getpid(), "host": socket.gethostname()}
    assert not lock.path.exists()
    with RunLock(tmp_path):
        pass


def test_the_lock_is_given_back_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), RunLock(tmp_path):
        raise ZeroDivisionError
    with RunLock(tmp_path):
        pass


HOLD = """
import fcntl, os, sys
f = open(sys.argv[1], "w"); f.write('{"pid": %d, "host": null}' % os.getpid()); f.flush()
fcntl.flock(f, fcntl.LOCK_EX); print("held", flush=True); sys.stdin.read()
"""


def test_a_living_holder_is_named_and_a_dead_one_is_not_in_the_way(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "lock")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"process {holder.pid} is writing to this run"):
            RunLock(tmp_path).__enter__()
        holder.kill()
    assert (tmp_path / "lock").exists()
    with RunLock(tmp_path) as lock:
        assert json.loads(lock.path.read_text())["pid"] == os.getpid()


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"pid": 1, "host": null}', '{"pid": "x"}'])
def test_a_stale_file_of_any_content_is_taken_over(tmp_path: Path, content: str) -> None:
    (tmp_path / "lock").write_text(content)
    with RunLock(tmp_path):
        pass


def test_a_file_of_another_machine_is_believed(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text('{"pid": 1, "host": "elsewhere.example"}')
    with pytest.raises(UserError, match=r"machine 'elsewhere.example' is writing to this run"):
        RunLock(tmp_path).__enter__()
    assert "elsewhere" in (tmp_path / "lock").read_text()


def test_a_file_removed_while_it_was_opened_is_no_lock(tmp_path: Path, monkeypatch) -> None:
    """The holder removes the file between our open and our lock: we must lock the new file."""
    real, removed = fcntl.flock, []

    def flock(descriptor: int, operation: int) -> None:
        if not removed:
            removed.append(True)
            (tmp_path / "lock").unlink()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with RunLock(tmp_path) as lock:
        assert removed and json.loads(lock.path.read_text())["pid"] == os.getpid()
