"""Files of predictions: what they may hold, and what is said of those that do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastpose.data.clips import ClipStore
from fastpose.errors import UserError
from fastpose.evaluation.labels import labels_of_store
from fastpose.evaluation.metrics.regression import get_linear_protocol
from fastpose.evaluation.predictions import given_by_clips, read_pictures, read_predictions
from fastpose.evaluation.protocols import get_protocol
from fastpose.poses import Poses
from tests.evaluation.painted import POSE, SIZE, SKELETON, write_clips

JOINTS = ("l_hip", "r_hip", "l_knee", "r_knee")
INFANTS, MAFL = get_protocol("infants"), get_protocol("mafl")
TRUTH = np.random.default_rng(0).uniform(0, 64, (5, 4, 2))


def _file(folder: Path, **changes) -> Path:
    arrays = {"predicted": TRUTH + 1, "truth": TRUTH, "joint_names": JOINTS, "side": 64}
    arrays.update(changes)
    np.savez(folder / "p.npz", **{k: v for k, v in arrays.items() if v is not None})
    return folder / "p.npz"


def test_the_least_that_is_needed(tmp_path) -> None:
    given = read_predictions(_file(tmp_path), INFANTS)
    assert given.predicted_joints == list(JOINTS) == given.truth_joints
    assert given.visible.all() and given.names.tolist() == ["0", "1", "2", "3", "4"]
    assert given.side is not None and given.side.tolist() == [64.0] * 5
    assert given.activity.tolist() == given.actor.tolist() == [""] * 5
    assert given.head is None and given.box is None and given.source_scale is None


def test_all_that_may_be_there(tmp_path) -> None:
    boxes = np.array([[0, 0, 10, 20]] * 5)
    visible = np.random.default_rng(1).random((5, 4)) < 0.5
    given = read_predictions(
        _file(
            tmp_path,
            predicted=TRUTH[:, ::-1],
            predicted_names=JOINTS[::-1],
            visible=visible,
            side=np.arange(1, 6),
            activity=["crying"] * 5,
            actor="S3",
            split="val",
            names=list("abcde"),
            head=boxes,
            box=boxes,
            source_scale=2.5,
        ),
        INFANTS,
    )
    assert given.predicted_joints == list(JOINTS[::-1])
    assert np.array_equal(given.visible, visible) and given.names.tolist() == list("abcde")
    assert given.split.tolist() == ["val"] * 5
    assert given.actor.tolist() == ["S3"] * 5 and given.activity[4] == "crying"
    assert given.head is not None and given.head.shape == (5, 4)
    assert given.side is not None and given.side[4] == 5
    assert given.source_scale is not None and given.source_scale.tolist() == [2.5] * 5


def test_landmarks_are_fitted_on_the_training_frames(tmp_path) -> None:
    rng = np.random.default_rng(3)
    weights = rng.normal(size=(6, 8)) / 3
    train, test = rng.uniform(0, 64, (2, 40, 3, 2))

    def joints(landmarks: np.ndarray) -> np.ndarray:
        return (landmarks.reshape(len(landmarks), -1) @ weights).reshape(-1, 4, 2)

    file = _file(
        tmp_path,
        predicted=None,
        truth=joints(test),
        landmarks=test,
        train_landmarks=train,
        train_truth=joints(train),
    )
    given = read_predictions(file, INFANTS, get_linear_protocol("imm"))
    assert sorted(given.predicted_joints) == sorted(JOINTS)
    at = [JOINTS.index(joint) for joint in given.predicted_joints]
    assert given.predicted == pytest.approx(joints(test)[:, at], abs=1e-8)
    centred = read_predictions(file, INFANTS, get_linear_protocol("thewlis-zhang"))
    assert np.abs(centred.predicted - joints(test)[:, at]).max() > 0.1
    with pytest.raises(UserError, match=r"landmarks without names; say how to fit .* --regress"):
        read_predictions(file, INFANTS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"truth": None},
            r"lacks truth; it holds predicted, joint_names, side; expected truth \(N,K,2 or 3\)",
        ),
        (
            {"predicted": TRUTH[:, :3]},
            r"predicted must be \(5,4,2\), not \(5, 3, 2\); its axes are frames, named joints, x y",
        ),
        ({"truth": TRUTH[..., :1]}, r"truth must be \(N,4,2\), not \(5, 4, 1\)"),
        ({"truth": TRUTH.astype(str)}, "truth must hold numbers, not <U"),
        ({"truth": TRUTH[:0], "predicted": TRUTH[:0]}, "truth holds no frame"),
        ({"joint_names": ("a", "a", "b", "c")}, "joint_names must be unique"),
        ({"visible": np.ones((5, 4))}, r"visible must be bool \(5, 4\), not float64"),
        ({"side": np.ones(4)}, r"side must be one number, \(5,\), not \(4,\)"),
        ({"side": 0}, "side must be positive"),
        ({"head": np.ones((5, 3))}, r"head must be one number, \(5,\) or \(5,4\)"),
        ({"box": np.zeros((5, 4))}, "box must be left, top, right, bottom"),
        ({"activity": ["a"] * 3}, r"activity must be one name or \(5,\)"),
    ],
)
def test_what_does_not_fit_is_named(changes, message, tmp_path) -> None:
    with pytest.raises(UserError, match=f"p.npz: {message}") as caught:
        read_predictions(_file(tmp_path, **changes), INFANTS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "lacks train_landmarks, train_truth"),
        (
            {"train_truth": TRUTH, "train_landmarks": TRUTH[:3]},
            r"train_landmarks must be \(5,4,2\)",
        ),
        (
            {"train_truth": TRUTH, "train_landmarks": TRUTH, "side": np.arange(1, 6)},
            "needs pictures of one side, not of 5",
        ),
        (
            {"train_truth": TRUTH, "train_landmarks": TRUTH * np.nan},
            r"landmarks must be \(N,L,2\) and finite",
        ),
        (
            {"train_truth": TRUTH, "train_landmarks": TRUTH, "joint_names": list("abcd")},
            "truth has no joint that 'imm' fits",
        ),
    ],
)
def test_landmarks_that_do_not_fit(changes, message, tmp_path) -> None:
    file = _file(tmp_path, landmarks=TRUTH, **changes)
    with pytest.raises(UserError, match=message):
        read_predictions(file, INFANTS, get_linear_protocol("imm"))


def test_files_that_cannot_be_read(tmp_path) -> None:
    with pytest.raises(UserError, match=r"gone.npz: no such file; name an npz of predictions"):
        read_predictions(tmp_path / "gone.npz", INFANTS)
    (tmp_path / "torn.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(UserError, match=r"torn.npz: cannot be read"):
        read_predictions(tmp_path / "torn.npz", INFANTS)


def test_pictures(tmp_path) -> None:
    truth = np.random.default_rng(0).integers(0, 256, (3, 8, 9, 3)).astype(np.uint8)
    np.savez(tmp_path / "p.npz", predicted_pictures=truth, true_pictures=truth)
    cases = read_pictures(tmp_path / "p.npz")
    assert len(cases) == 3 and cases.skeleton is None and cases.visible.shape == (3, 1)
    for changes, message in (
        ({"predicted_pictures": truth[:2]}, r"predicted_pictures must be uint8 \(3, 8, 9, 3\)"),
        ({"true_pictures": truth / 255}, "true_pictures must be uint8 .* not float64"),
        ({"true_pictures": truth[:, :6]}, r"true_pictures must be uint8 \(N>0,H>=7"),
    ):
        arrays = {"predicted_pictures": truth, "true_pictures": truth, **changes}
        np.savez(tmp_path / "p.npz", **arrays)
        with pytest.raises(UserError, match=message):
            read_pictures(tmp_path / "p.npz")


def test_what_clips_give(tmp_path) -> None:
    """Joints in pixels of the clip, its window as the scale to the video, its frame to draw on."""
    clips = [
        {"frames": 2, "keypoints": np.repeat(POSE[None], 2, 0), "window": (5.0, 7.0, 2.0 * SIZE)},
        {"frames": 1, "keypoints": POSE[None], "activity": "walk", "actor": "S11"},
    ]
    store: ClipStore = write_clips(tmp_path / "clips", clips)
    labels = labels_of_store(store)
    points = np.repeat(POSE[None], 3, 0) + 2
    poses = Poses(points, np.ones((3, 3), np.float32), SKELETON)
    given = given_by_clips(poses, store, labels)
    assert np.array_equal(given.predicted - given.truth, np.full((3, 3, 2), 2.0))
    assert given.source_scale is not None and given.source_scale[:2].tolist() == [2.0, 2.0]
    assert np.isnan(given.source_scale[2])
    assert given.activity.tolist() == ["", "", "walk"] and given.actor.tolist() == ["", "", "S11"]
    assert given.names.tolist() == ["clip0 0", "clip0 1", "clip1 0"]
    assert given.side is not None and given.side.tolist() == [SIZE] * 3
    assert given.picture is not None and given.picture(2)[0, 0, 0] == 2
