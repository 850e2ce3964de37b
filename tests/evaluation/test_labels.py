"""Which label belongs to which frame, and where it lies there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastpose.errors import UserError
from fastpose.evaluation.labels import labels_of_store, read_labels
from tests.evaluation.painted import POSE, SKELETON, write_clips


@pytest.fixture
def label_file(tmp_path: Path):
    """label_file(names, ...) writes labels whose first joint has x = number of the row."""

    def write(names: list[str], **changes: Any) -> Path:
        points = np.repeat(POSE[None], len(names), axis=0)
        points[:, 0, 0] = np.arange(len(names))
        arrays = {"names": names, "keypoints": points, "joint_names": list(SKELETON.joints)}
        arrays |= changes
        path = tmp_path / "labels.npz"
        kept: dict[str, Any] = {key: np.array(v) for key, v in arrays.items() if v is not None}
        np.savez(path, **kept)
        return path

    return write


def _rows(labels) -> list[int]:
    return labels.points[:, 0, 0].astype(int).tolist()


def test_frames_of_a_recording_are_met_by_number(label_file, tmp_path) -> None:
    clips = [
        {"frames": 3, "source": "00000000.jpg", "source_frames": [5, 7, 9]},
        {"frames": 2, "source": "00000001.jpg"},
        {"frames": 2, "source": None},
    ]
    store = write_clips(tmp_path / "clips", clips)
    names = ["train/00000000.jpg#9", "train/00000000.jpg#5", "train/00000001.jpg#1", "x.jpg#0"]
    labels = read_labels(label_file(names), store)
    assert labels.clip.tolist() == [0, 0, 1]
    assert labels.frame.tolist() == [0, 2, 1]
    assert _rows(labels) == [1, 0, 2]
    assert labels.skeleton.joints == SKELETON.joints and labels.visible.all()


def test_a_shared_file_name_is_not_the_same_file(label_file, tmp_path) -> None:
    store = write_clips(tmp_path / "clips", [{"frames": 1, "source": "/d/B/walk.mp4"}])
    assert _rows(read_labels(label_file(["A/walk.mp4#0", "B/walk.mp4#0"]), store)) == [1]
    for other in ("A/walk.mp4#0", "alk.mp4#0", "XB/walk.mp4#0", "#0"):
        with pytest.raises(UserError, match="no label meets a frame") as caught:
            read_labels(label_file([other]), store)
        assert "/d/B/walk.mp4" in str(caught.value)


def test_the_longer_agreement_wins_and_a_tie_is_refused(label_file, tmp_path) -> None:
    long = write_clips(tmp_path / "long", [{"frames": 1, "source": "B/walk.mp4"}])
    assert _rows(read_labels(label_file(["walk.mp4#0", "d/B/walk.mp4#0"]), long)) == [1]
    short = write_clips(tmp_path / "short", [{"frames": 1, "source": "walk.mp4"}])
    with pytest.raises(UserError, match=r"both A/walk.mp4 and B/walk.mp4 .*\bwalk.mp4") as caught:
        read_labels(label_file(["A/walk.mp4#0", "B/walk.mp4#0", "C/run.mp4#0"]), short)
    assert "\n" not in str(caught.value)


def test_pictures_of_a_folder_count_in_natural_order(label_file, tmp_path) -> None:
    clip = {"frames": 3, "source": "walk", "source_frames": [0, 1, 2]}
    store = write_clips(tmp_path / "clips", [clip])
    names = ["d/walk/f10.jpg", "d/walk/f9.jpg", "d/walk/f1.jpg", "d/other/f0.jpg"]
    labels = read_labels(label_file(names), store)
    assert labels.frame.tolist() == [0, 1, 2] and _rows(labels) == [2, 1, 0]


def test_a_folder_with_unlabelled_pictures_is_refused(label_file, tmp_path) -> None:
    clip = {"frames": 2, "source": "walk", "source_frames": [1, 2]}
    store = write_clips(tmp_path / "clips", [clip])
    with pytest.raises(UserError, match=r"labels 2 pictures of walk, but clip 'clip0'.* frame 2"):
        read_labels(label_file(["walk/f1.jpg", "walk/f3.jpg"]), store)
    # the numbers of a video are its own: there, frames without a label are left out
    video = write_clips(tmp_path / "video", [clip])
    assert _rows(read_labels(label_file(["walk#0", "walk#2"]), video)) == [1]


def test_a_single_picture(label_file, tmp_path) -> None:
    store = write_clips(tmp_path / "clips", [{"frames": 1, "source": "0002.jpg"}])
    assert _rows(read_labels(label_file(["photos/0001.jpg", "photos/0002.jpg"]), store)) == [1]


def test_labels_move_into_the_window(label_file, tmp_path) -> None:
    clip = {"frames": 1, "source": "a.mp4", "window": (10.0, 20.0, 50.5)}
    store = write_clips(tmp_path / "clips", [clip])
    labels = read_labels(label_file(["a.mp4#0"], keypoints=[POSE + np.array([10, 20])]), store)
    assert labels.points == pytest.approx(POSE[None] * 2 - 0.5)  # 101 pixels for 50.5
    whole = {"frames": 1, "source": "a.mp4", "window": (-0.5, -0.5, 101.0)}
    same = write_clips(tmp_path / "whole", [whole])
    assert read_labels(label_file(["a.mp4#0"]), same).points[0, 1:] == pytest.approx(POSE[1:])


def test_scores_and_masks_hide_joints(label_file, tmp_path) -> None:
    store = write_clips(tmp_path / "clips", [{"frames": 1, "source": "a.mp4"}])
    scored = np.concatenate([POSE, [[0.9], [0.4], [0.6]]], axis=1)[None]
    path = label_file(["a.mp4#0"], keypoints=scored, visible=[[True, True, False]])
    assert read_labels(path, store).visible.tolist() == [[True, False, False]]
    assert read_labels(path, store, min_score=0.3).visible.tolist() == [[True, True, False]]
    broken = POSE.copy()
    broken[1] = np.nan
    path = label_file(["a.mp4#0"], keypoints=[broken])
    assert read_labels(path, store).visible.tolist() == [[True, False, True]]


def test_files_that_are_no_labels(label_file, tmp_path) -> None:
    store = write_clips(tmp_path / "clips", [{"frames": 1, "source": "a.mp4"}])
    name = ["a.mp4#0"]
    cases = [
        (label_file, {"keypoints": None, "joint_names": None}, "lacks keypoints, joint_names"),
        (label_file, {"keypoints": np.zeros((1, 3, 4))}, r"must be \(1,3,2 or 3\)"),
        (label_file, {"keypoints": np.zeros((2, 3, 2))}, r"not \(2, 3, 2\)"),
        (label_file, {"visible": np.ones((1, 2), bool)}, r"visible must be \(1, 3\)"),
        (label_file, {"joint_names": ["head", "r_wrist", "l_knee"]}, "in pairs"),
    ]
    for write, changes, message in cases:
        with pytest.raises(UserError, match=message) as caught:
            read_labels(write(name, **changes), store)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"labels a.mp4#0 twice"):
        read_labels(label_file(name * 2), store)
    with pytest.raises(UserError, match=r"gone.npz: no such file; name an npz of labels"):
        read_labels(tmp_path / "gone.npz", store)
    (tmp_path / "noise.npz").write_bytes(b"noise")
    with pytest.raises(UserError, match=r"noise.npz: cannot be read"):
        read_labels(tmp_path / "noise.npz", store)


def test_labels_that_the_clips_carry(tmp_path) -> None:
    points = np.stack([POSE, POSE + 1])
    points[1, 0] = np.nan
    visible = np.array([[True, True, False], [True, True, True]])
    clips = [{"frames": 1}, {"frames": 2, "keypoints": points, "visible": visible}]
    store = write_clips(tmp_path / "clips", clips)
    labels = labels_of_store(store)
    assert labels.clip.tolist() == [1, 1] and labels.frame.tolist() == [0, 1]
    assert labels.visible.tolist() == [[True, True, False], [False, True, True]]
    bare = write_clips(tmp_path / "bare", [{"frames": 1}])
    with pytest.raises(UserError, match="name a file of labels with --labels"):
        labels_of_store(bare)


def test_real_strips(shared_data, tmp_path) -> None:
    """Labels of ``train/00000000.jpg#17`` belong to what ``prepare`` calls ``00000000.jpg``."""
    path = shared_data / "pseudo_labels/weizmann_actions.npz"
    if not path.is_file():
        pytest.skip(f"no {path.name} among the shared data")
    clip = {"frames": 2, "source": "00000000.jpg", "source_frames": [17, 18]}
    store = write_clips(tmp_path / "clips", [clip | {"window": (-0.5, -0.5, 64.0)}], size=64)
    labels = read_labels(path, store)
    with np.load(path) as data:
        row = data["names"].tolist().index("train/00000000.jpg#17")
        wanted = data["keypoints"][row, :, :2]
    assert labels.frame.tolist() == [0, 1] and labels.points[0] == pytest.approx(wanted, abs=1e-4)
