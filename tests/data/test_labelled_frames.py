"""Labelled frames: which joints are known, by name, which frames are drawn, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastpose.data.clips import ClipStore, ClipWriter
from fastpose.data.labelled_frames import LabelledFrames
from fastpose.errors import UserError
from fastpose.evaluation.cases import restrict
from fastpose.skeletons import get_skeleton

SIZE, FRAMES = 8, 3
SKELETON = get_skeleton("limbs12")


def make_store(path: Path, **labels: np.ndarray | None) -> ClipStore:
    """A clip for each of ``labels``; its frames are all of the grey of its place and frame."""
    with ClipWriter(path, SIZE, skeleton=SKELETON) as writer:
        for number, (name, points) in enumerate(labels.items()):
            video = np.full((FRAMES, SIZE, SIZE, 3), 10 * number, np.uint8)
            video += np.arange(FRAMES, dtype=np.uint8)[:, None, None, None]
            visible = None if points is None else np.asarray(np.isfinite(points).all(axis=-1))
            writer.add(name, video, fps=1.0, keypoints=points, visible=visible)
    return ClipStore.open(path)


def points(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 7, (FRAMES, 12, 2)).astype(np.float32)


def test_frames_come_with_their_own_labels(tmp_path: Path) -> None:
    given = [points(0), points(1)]
    source = LabelledFrames(make_store(tmp_path / "c", a=given[0], b=given[1]), SKELETON)
    frames, found, known, ids = source.sample(64, np.random.default_rng(0))
    assert frames.shape == (64, SIZE, SIZE, 3) and frames.dtype == np.uint8
    assert found.dtype == np.float32 and known.all() and len(source) == 2 * FRAMES
    assert len(np.unique(ids, axis=0)) == 2 * FRAMES  # every frame is drawn
    for image, joints, (clip, frame) in zip(frames, found, ids, strict=True):
        assert (image == 10 * clip + frame).all()
        assert np.abs((joints + 1) * (SIZE - 1) / 2 - given[clip][frame]).max() < 1e-5
    assert source.mirror == SKELETON.mirror


def test_a_share_is_what_one_process_would_read_of_the_whole(tmp_path: Path) -> None:
    source = LabelledFrames(make_store(tmp_path / "c", a=points(0), b=points(1)), SKELETON)
    whole = source.sample(8, np.random.default_rng(3))
    part = source.sample(8, np.random.default_rng(3), slice(2, 5))
    assert all(np.array_equal(a[2:5], b) for a, b in zip(whole, part, strict=True))


def test_unknown_joints_are_said_to_be_and_empty_frames_are_not_drawn(tmp_path: Path) -> None:
    given = points(0)
    given[0, 4] = np.nan
    given[1] = np.nan
    source = LabelledFrames(make_store(tmp_path / "c", a=given), SKELETON)
    assert source.unlabelled == 1 and len(source) == FRAMES - 1
    _, found, known, ids = source.sample(32, np.random.default_rng(0))
    assert set(ids[:, 1]) == {0, 2}
    for joints, there, frame in zip(found, known, ids[:, 1], strict=True):
        assert np.isfinite(joints).all()
        assert list(np.flatnonzero(~there)) == ([4] if frame == 0 else [])
        assert (joints[~there] == 0).all()


def test_a_joint_between_others_is_known_where_all_of_them_are(tmp_path: Path) -> None:
    target = get_skeleton("h36m17")  # its pelvis is the middle of the hips
    source = get_skeleton("mocap19")
    names = [joint for joint in source.joints if joint != "pelvis"]
    given = np.random.default_rng(0).uniform(0, 7, (FRAMES, len(names), 2)).astype(np.float32)
    given[1, names.index("l_hip")] = np.nan
    with ClipWriter(tmp_path / "c", SIZE, skeleton=restrict(source, names)) as writer:
        writer.add("a", np.zeros((FRAMES, SIZE, SIZE, 3), np.uint8), fps=1.0, keypoints=given)
    frames = LabelledFrames(ClipStore.open(tmp_path / "c"), target)
    _, found, known, ids = frames.sample(32, np.random.default_rng(0))
    pelvis, hips = target.index("pelvis"), [target.index("l_hip"), target.index("r_hip")]
    assert np.array_equal(known[:, pelvis], ids[:, 1] != 1)
    middle = found[:, hips].mean(axis=1)
    assert np.abs(middle - found[:, pelvis])[known[:, pelvis]].max() < 1e-6


def test_clips_without_labels_are_named(tmp_path: Path) -> None:
    store = make_store(tmp_path / "c", a=points(0), second=None, third=None)
    message = r"clip 'second' carries no keypoints \(2 of 3 clips do not\); prepare a labelled"
    with pytest.raises(UserError, match=message) as caught:
        LabelledFrames(store, SKELETON)
    assert "\n" not in str(caught.value)


def test_clips_of_a_folder_without_joints_are_named(tmp_path: Path) -> None:
    with ClipWriter(tmp_path / "c", SIZE) as writer:
        writer.add("only", np.zeros((2, SIZE, SIZE, 3), np.uint8), fps=1.0)
    with pytest.raises(UserError, match=r"clip 'only' carries no keypoints \(1 of 1"):
        LabelledFrames(ClipStore.open(tmp_path / "c"), SKELETON)


def test_labels_that_lack_a_joint_or_all_are_refused(tmp_path: Path) -> None:
    store = make_store(tmp_path / "c", a=points(0))
    with pytest.raises(UserError, match=r"'limbs12' cannot give the joints .*--set skeleton=NAME"):
        LabelledFrames(store, get_skeleton("h36m17"))
    store = make_store(tmp_path / "d", a=np.full((FRAMES, 12, 2), np.nan, np.float32))
    with pytest.raises(UserError, match="none of its 3 frames has a known joint"):
        LabelledFrames(store, SKELETON)
