"""Long jobs: what is finished survives interruptions and kills, and nothing else does."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fastpose.data.clips import ClipStore, ClipWriter
from fastpose.errors import UserError
from fastpose.skeletons import get_skeleton

SKELETON = get_skeleton("limbs12")
JOB = {"made": "here", "size": [8]}


def add(writer: ClipWriter, item: int, count: int = 3) -> None:
    frames = np.full((count, 8, 8, 3), item, np.uint8)
    keypoints = np.full((count, 12, 2), item, np.float32)
    scene = frames[0] if item % 2 else None
    writer.add(f"clip{item}", frames, fps=1.0, keypoints=keypoints, background=scene)


def check(path: Path, items: list[int], count: int = 3) -> None:
    clips = {clip.name: clip for clip in ClipStore.open(path).clips}
    assert sorted(clips) == sorted(f"clip{item}" for item in items)
    for item in items:
        clip = clips[f"clip{item}"]
        assert clip.frames.shape == (count, 8, 8, 3) and (clip.frames == item).all()
        assert clip.keypoints is not None and (clip.keypoints == item).all()
        assert (clip.background is not None) == bool(item % 2)
        assert clip.background is None or (clip.background == item).all()


def job(path: Path, **options: object) -> ClipWriter:
    options = {"job": JOB, "skeleton": SKELETON, **options}
    return ClipWriter(path, 8, **options)  # type: ignore[arg-type]


def interrupt_after(path: Path, items: list[int], **options: object) -> None:
    with pytest.raises(KeyboardInterrupt), job(path, **options) as writer:
        for item in items:
            add(writer, item)
            writer.finish(str(item), {"frames": 3})
        add(writer, 99)  # not finished
        raise KeyboardInterrupt


@pytest.mark.parametrize("shard_bytes", [1, 1500, 2**30])
def test_a_job_goes_on_after_an_interruption(tmp_path: Path, shard_bytes: int) -> None:
    path = tmp_path / "c"
    interrupt_after(path, [0, 1, 2], shard_bytes=shard_bytes)
    assert not path.exists()
    with job(path, shard_bytes=shard_bytes) as writer:
        assert writer.finished == {str(i): {"frames": 3} for i in range(3)}
        for item in (3, 4):
            add(writer, item)
            writer.finish(str(item))
    check(path, [0, 1, 2, 3, 4])
    assert [p.name for p in tmp_path.iterdir()] == ["c"]
    assert sorted(p.name for p in path.iterdir()) == ["index.json", "shards"]
    shards = len(list((path / "shards").iterdir()))
    assert shards == {1: 5, 1500: 3, 2**30: 1}[shard_bytes]


def test_nothing_new_to_do_also_completes_it(tmp_path: Path) -> None:
    interrupt_after(tmp_path / "c", [0, 1])
    with job(tmp_path / "c"):
        pass
    check(tmp_path / "c", [0, 1])


def test_nothing_finished_leaves_nothing(tmp_path: Path) -> None:
    interrupt_after(tmp_path / "c", [])
    assert list(tmp_path.iterdir()) == []


def test_another_job_does_not_go_on_with_it(tmp_path: Path) -> None:
    interrupt_after(tmp_path / "c", [0])
    with pytest.raises(UserError, match="begun with other settings"), job(tmp_path / "c", job={}):
        pass
    with job(tmp_path / "c", job={}, overwrite=True) as writer:
        assert writer.finished == {}
        add(writer, 7)
    check(tmp_path / "c", [7])


def test_a_line_cut_off_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "c"
    interrupt_after(path, [0, 1])
    journal = tmp_path / ".c.partial" / "journal.jsonl"
    journal.write_text(journal.read_text()[:-5])
    with job(path) as writer:
        assert list(writer.finished) == ["0"]
        add(writer, 1)
        writer.finish("1")
    check(path, [0, 1])


def test_lost_rows_are_noticed(tmp_path: Path) -> None:
    interrupt_after(tmp_path / "c", [0, 1])
    file = tmp_path / ".c.partial" / "shards" / "00000" / "frames.npy"
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(UserError, match="shorter than its journal"), job(tmp_path / "c"):
        pass


KILLED = """
import numpy as np, sys
from tests.data.clips.test_writer import add, job
from pathlib import Path
with job(Path(sys.argv[1])) as writer:
    for item in range(len(writer.finished), 100000):
        add(writer, item, 40)
        writer.finish(str(item))
        print(item, flush=True)
"""


def test_a_kill_at_any_moment_loses_no_finished_item(tmp_path: Path) -> None:
    path = tmp_path / "c"
    root = Path(__file__).resolve().parents[3]
    last = -1
    for wait in (0.01, 0.07):
        command = [sys.executable, "-c", KILLED, str(path)]
        process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert int(process.stdout.readline()) == last + 1
        time.sleep(wait)
        os.kill(process.pid, signal.SIGKILL)
        rest = process.stdout.read().splitlines()
        process.wait()
        last = max([last + 1, *(int(line) for line in rest if line)])
        # At most the item that was under way is counted without having been told.
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(tmp_path / ".c.partial", tmp_path / ".copy.partial")
        with job(copy) as writer:
            done = len(writer.finished)
        assert done in (last + 1, last + 2)
        last = done - 1
        check(copy, list(range(done)), 40)
