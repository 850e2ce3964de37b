"""The sheet of a clips folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fastpose.data.clips import ClipStore, ClipWriter
from fastpose.data.clips_view import view_clips
from fastpose.skeletons import get_skeleton

SKELETON = get_skeleton("limbs12")


def store(path: Path, count: int = 3, *, joints: bool = True) -> ClipStore:
    rng = np.random.default_rng(0)
    with ClipWriter(path, 32, skeleton=SKELETON) as writer:
        for i in range(count):
            extras = {}
            if joints:
                visible = np.ones((6, 12), bool)
                visible[:, 0] = False
                extras = {
                    "keypoints": rng.uniform(4, 28, (6, 12, 2)).astype(np.float32),
                    "visible": visible,
                    "mask": np.zeros((6, 32, 32), np.uint8),
                }
            frames = np.full((6, 32, 32, 3), 200, np.uint8)
            writer.add(f"clip{i}", frames, fps=9.0, activity="wave", partial=i == 0, **extras)
    return ClipStore.open(path)


def test_one_row_a_clip(tmp_path: Path) -> None:
    small = view_clips(store(tmp_path / "a", 2), columns=4)
    large = view_clips(store(tmp_path / "b", 4), columns=4)
    assert small.dtype == np.uint8 and small.shape[1] >= 4 * 112
    assert large.shape[1] == small.shape[1] and large.shape[0] > 1.7 * small.shape[0] - 60


def test_no_more_clips_than_asked_for(tmp_path: Path) -> None:
    clips = store(tmp_path / "a", 5)
    assert view_clips(clips, clips=2).shape[0] < view_clips(clips, clips=5).shape[0]


def test_joints_and_masks_show(tmp_path: Path) -> None:
    drawn, plain = store(tmp_path / "a"), store(tmp_path / "b", joints=False)
    with_joints, without = view_clips(drawn), view_clips(plain)
    assert with_joints.shape == without.shape
    assert (with_joints == 70).all(axis=-1).mean() > 0.2  # dimmed: 0.35 * 200
    assert (without == 70).all(axis=-1).mean() < 0.01
    coloured = np.ptp(with_joints.astype(int), axis=-1) > 60
    assert coloured.sum() > 1000 > (np.ptp(without.astype(int), axis=-1) > 60).sum()


def test_single_pictures_share_rows(tmp_path: Path) -> None:
    with ClipWriter(tmp_path / "c", 32) as writer:
        for i in range(7):
            writer.add(f"p{i}", np.full((1, 32, 32, 3), 30 * i, np.uint8), fps=1.0)
    opened = ClipStore.open(tmp_path / "c")
    sheet = view_clips(opened, columns=4)
    assert sheet.shape[1] < 6 * 112 and sheet.shape[0] < 3 * 150  # two rows, not seven
    # Of their grey levels: text has few pixels of each.
    shown = [int((sheet == 30 * i).all(axis=-1).sum()) for i in range(7)]
    assert min(shown) > 10_000
    few = view_clips(opened, clips=1, columns=4)
    assert sum(int((few == 30 * i).all(axis=-1).sum()) > 10_000 for i in range(7)) == 4
