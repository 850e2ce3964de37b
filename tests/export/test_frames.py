"""Frames for the comparison: spread over all clips, from the place that the run names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from fastpose.data.clips import ClipStore, ClipWriter
from fastpose.errors import UserError
from fastpose.export.frames import clips_of_run, spread_frames


@pytest.fixture
def store(tmp_path: Path) -> ClipStore:
    """Clips of 3, 1 and 6 frames; the frame's number is its colour."""
    with ClipWriter(tmp_path / "clips", 4) as writer:
        number = 0
        for i, length in enumerate((3, 1, 6)):
            levels = np.arange(number, number + length, dtype=np.uint8)
            writer.add(
                f"c{i}", np.broadcast_to(levels[:, None, None, None], (length, 4, 4, 3)), fps=10
            )
            number += length
    return ClipStore.open(tmp_path / "clips")


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, [0]), (2, [0, 9]), (4, [0, 3, 6, 9]), (10, range(10)), (99, range(10))],
)
def test_spread(store: ClipStore, count: int, expected) -> None:
    frames = spread_frames(store, count)
    assert frames[:, 0, 0, 0].tolist() == list(expected)
    assert frames.dtype == np.uint8 and frames.shape[1:] == (4, 4, 3)


def test_at_least_one_frame(store: ClipStore) -> None:
    with pytest.raises(UserError, match="at least 1 is needed, got 0"):
        spread_frames(store, 0)


def test_the_run_and_its_checkpoints_name_the_clips(run: Path, clips: Path) -> None:
    assert clips_of_run(run) == clips
    assert clips_of_run(next((run / "checkpoints").iterdir())) == clips


def test_clips_that_are_gone_or_unnamed(run: Path, tmp_path: Path) -> None:
    moved = tmp_path / "run"
    moved.mkdir()
    with pytest.raises(UserError, match="names its clips; give --data"):
        clips_of_run(moved)
    shutil.copy(run / "config.json", moved)
    config = json.loads((moved / "config.json").read_text())
    (moved / "config.json").write_text(json.dumps(config | {"data": str(tmp_path / "gone")}))
    with pytest.raises(UserError, match="are gone; give --data"):
        clips_of_run(moved)
