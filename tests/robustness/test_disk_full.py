"""A disk that fills up: the checkpoints before stay whole, the message holds both figures."""

from __future__ import annotations

import errno
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastpose import files
from fastpose.errors import UserError
from fastpose.training import checkpoint_folder
from fastpose.training.checkpoint import find_checkpoint, save_checkpoint
from fastpose.training.checkpoint_folder import FILES, MANIFEST
from fastpose.training.state import TrainState
from tests.robustness.conftest import Tally
from tests.training.tiny import CONFIG, differing, tiny_run


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("failing", [*FILES, MANIFEST])
@pytest.mark.parametrize("partly", [False, True])
def test_a_write_that_finds_the_disk_full(
    tmp_path: Path, monkeypatch, failing: str, partly: bool, tally: Tally
) -> None:
    state = tiny_run(tmp_path, stop=12)
    checkpoints = tmp_path / "checkpoints"
    before = tree(checkpoints)
    real = checkpoint_folder.write_synced

    def write(path: Path, data: bytes) -> None:
        if path.name == failing:
            if partly:
                path.write_bytes(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(path, data)

    monkeypatch.setattr(checkpoint_folder, "write_synced", write)
    state.step = 13
    with pytest.raises(UserError, match=r"disk became full") as caught:
        save_checkpoint(state, checkpoints, CONFIG)
    assert re.search(r"needs \d+ bytes and found \d+ bytes free", str(caught.value))
    assert tree(checkpoints) == before
    assert find_checkpoint(tmp_path).name == "step_000012"
    tally("disk full: the system refuses a write, before or within it")


def test_training_that_meets_a_full_disk_goes_on_once_there_is_space(
    tmp_path: Path, monkeypatch
) -> None:
    real, calls = checkpoint_folder.write_synced, []

    def write(path: Path, data: bytes) -> None:
        calls.append(path.name)
        if len(calls) == 14:  # in the third checkpoint
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
        real(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_folder, "write_synced", write)
        with pytest.raises(UserError, match="disk became full"):
            tiny_run(tmp_path / "a")
    names = sorted(p.name for p in (tmp_path / "a/checkpoints").iterdir())
    assert names == ["step_000007", "step_000010"]
    resumed, straight = tiny_run(tmp_path / "a"), tiny_run(tmp_path / "b")
    assert differing(resumed, straight) == []
    logs = [(tmp_path / name / "metrics.jsonl").read_bytes() for name in "ab"]
    assert logs[0] == logs[1]


def test_space_is_asked_for_before_anything_is_written(tmp_path: Path, monkeypatch) -> None:
    state = tiny_run(tmp_path, stop=12)
    before = tree(tmp_path)
    monkeypatch.setattr(files, "free_bytes", lambda folder: 12_345)
    with pytest.raises(UserError, match=r"step_000012 needs \d+ bytes and 12345 are free"):
        save_checkpoint(state, tmp_path / "checkpoints", CONFIG)
    assert tree(tmp_path) == before


def test_a_log_that_finds_the_disk_full(tmp_path: Path, monkeypatch) -> None:
    def write(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(UserError, match=r"metrics.jsonl: the disk became full"):
        tiny_run(tmp_path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB; skips where this process may not mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("mounting a small file system needs root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def saved_with(state: TrainState, disk: Path, spare: int) -> str:
    """Save with ``spare`` bytes free on the disk; what the error says, or nothing."""
    filler = disk / "filler"
    filler.unlink(missing_ok=True)
    filler.write_bytes(bytes(max(0, files.free_bytes(disk) - spare)))
    try:
        save_checkpoint(state, disk / "run/checkpoints", CONFIG, keep=100)
    except UserError as error:
        return str(error)
    finally:
        filler.unlink()
    return ""


def test_twenty_fillings_of_a_real_disk(small_disk: Path, monkeypatch, tally: Tally) -> None:
    # The check beforehand would refuse: here the disk fills up after it, as by another process.
    monkeypatch.setattr(checkpoint_folder, "require_space", lambda *args: None)
    run = small_disk / "run"
    state = tiny_run(run, stop=12)
    size = sum(p.stat().st_size for p in (run / "checkpoints/step_000012").iterdir())
    before, failures, state.step = tree(run), 0, 13
    for trial in range(20):
        said = saved_with(state, small_disk, size * trial // 15)
        if not said:
            assert find_checkpoint(run).name == "step_000013"
            checkpoint_folder.remove_folder(run / "checkpoints/step_000013")
            continue
        failures += 1
        assert re.search(r"disk became full.* needs \d+ bytes and found \d+ bytes free", said)
        assert tree(run) == before and not list((run / "checkpoints").glob(".*"))
        assert find_checkpoint(run).name == "step_000012"
    assert 10 <= failures < 20
    tally("disk full: a real file system of 1 MiB, filled to another place", 20)
