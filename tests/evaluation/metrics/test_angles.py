"""Angles that are known, and angles computed another way."""

from __future__ import annotations

import numpy as np
import pytest

from fastpose.evaluation.metrics.angles import (
    BENDS,
    bend_angles,
    bend_errors,
    known_bends,
    rotation_angles,
)
from fastpose.skeletons import get_skeleton

BODY = get_skeleton("body13")
ELBOW = (("l_shoulder", "l_elbow", "l_wrist"),)


def _about(axis: np.ndarray, degrees: float) -> np.ndarray:
    """Rodrigues' formula."""
    x, y, z = axis / np.linalg.norm(axis)
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn = np.radians(degrees)
    return np.eye(3) + np.sin(turn) * skew + (1 - np.cos(turn)) * skew @ skew


@pytest.mark.parametrize("degrees", [0.0, 1e-7, 0.5, 30, 90, 179.9999999, 180])
def test_a_turn_by_a_known_angle(degrees: float) -> None:
    rng = np.random.default_rng(0)
    truth = np.stack([_about(rng.normal(size=3), 360 * rng.random()) for _ in range(8)])[None]
    turns = np.stack([_about(rng.normal(size=3), degrees) for _ in range(8)])[None]
    assert rotation_angles(turns @ truth, truth) == pytest.approx(degrees, rel=1e-5, abs=1e-11)
    assert rotation_angles(truth @ turns, truth) == pytest.approx(degrees, rel=1e-5, abs=1e-11)


def test_hidden_rotations_do_not_count_whatever_they_hold() -> None:
    truth = np.stack([np.eye(3), np.full((3, 3), np.nan)])[None]
    angles = rotation_angles(truth, truth, np.array([[True, False]]))
    assert angles[0, 0] == 0 and np.isnan(angles[0, 1])


def test_what_is_no_rotation() -> None:
    right = np.eye(3)[None, None]
    for wrong in (2 * right, right * [1, 1, -1], np.full((1, 1, 3, 3), np.nan)):
        with pytest.raises(ValueError, match=r"predicted must hold rotation matrices"):
            rotation_angles(wrong, right)
        with pytest.raises(ValueError, match=r"truth must hold rotation matrices"):
            rotation_angles(right, wrong)
    with pytest.raises(ValueError, match=r"truth must be \(N,K,3,3\), got \(3, 3\)"):
        rotation_angles(np.eye(3), np.eye(3))
    with pytest.raises(ValueError, match="predicted must have the shape of truth"):
        rotation_angles(right[:, :0], right)


def _arm(wrist: tuple[float, ...]) -> np.ndarray:
    pose = np.zeros((1, 13, len(wrist)))
    pose[0, BODY.index("l_shoulder"), 0] = -1.0
    pose[0, BODY.index("l_wrist")] = wrist
    return pose


def test_an_elbow_bent_by_hand() -> None:
    for wrist, degrees in (
        ((2.0, 0.0), 180),
        ((0.0, 5.0), 90),
        ((-3.0, 0.0), 0),
        ((1.0, 1.0), 135),
        ((0.5, 0.0, 3**0.5 / 2), 120),
    ):
        assert bend_angles(_arm(wrist), BODY, ELBOW) == pytest.approx(np.array([[degrees]]))
    assert np.isnan(bend_angles(_arm((0.0, 0.0)), BODY, ELBOW)).all()


def test_bends_of_random_poses_against_the_arc_cosine() -> None:
    poses = np.random.default_rng(1).normal(size=(9, 13, 3))
    angles = bend_angles(poses, BODY)
    knee = [BODY.index(j) for j in ("r_hip", "r_knee", "r_ankle")]
    for pose, row in zip(poses, angles, strict=True):
        a, b = pose[knee[0]] - pose[knee[1]], pose[knee[2]] - pose[knee[1]]
        cosine = a @ b / np.sqrt((a @ a) * (b @ b))
        assert row[3] == pytest.approx(np.degrees(np.arccos(cosine)))


def test_bends_that_a_skeleton_has() -> None:
    assert known_bends(BODY.joints) == BENDS
    left = [j for j in BODY.joints if not j.startswith("r_")]
    assert known_bends(left) == tuple(b for b in BENDS if b[0].startswith("l_"))
    assert known_bends([j for j in left if j != "l_knee"]) == ELBOW
    assert known_bends(["head"]) == ()


def test_errors_and_hidden_joints() -> None:
    predicted, truth = _arm((0.0, 5.0)), _arm((1.0, 1.0))
    assert bend_errors(predicted, truth, BODY, bends=ELBOW) == pytest.approx(np.array([[45.0]]))
    visible = np.ones((1, 13), bool)
    visible[0, BODY.index("l_elbow")] = False
    assert np.isnan(bend_errors(predicted, truth, BODY, visible, ELBOW)).all()
    with pytest.raises(ValueError, match=r"points must be \(N,13,2 or 3\)"):
        bend_angles(predicted[:, :5], BODY)
