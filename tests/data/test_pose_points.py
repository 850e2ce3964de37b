"""2D poses from label files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastpose.data.pose_points import make_point_bank, named_joints, read_points
from fastpose.errors import UserError
from fastpose.skeletons import get_skeleton

NAMES = ["head", "left_hand", "right_hand"]


def write(path: Path, **changes: object) -> Path:
    data: dict[str, object] = {
        "keypoints": np.array(
            [[[0, 0], [10, 40], [-10, 40]], [[5, 5], [5, 25], [9, 25]]], np.float32
        ),
        "joint_names": np.array(NAMES),
    }
    data |= changes
    np.savez(path, **{k: v for k, v in data.items() if v is not None})  # type: ignore[arg-type]
    return path


def test_poses_are_scaled_and_centred(tmp_path: Path) -> None:
    bank = read_points(write(tmp_path / "p.npz"))
    assert bank is not None and bank.skeleton.joints == ("head", "l_hand", "r_hand")
    assert bank.skeleton.mirror == (0, 2, 1)
    np.testing.assert_allclose(bank.points[0], [[0, -0.5], [0.25, 0.5], [-0.25, 0.5]])
    np.testing.assert_allclose(np.ptp(bank.points, axis=1).max(axis=1), 1.0)


def test_poses_with_unseen_joints_are_left_out(tmp_path: Path) -> None:
    visible = np.array([[True, True, False], [True, True, True]])
    bank = read_points(write(tmp_path / "p.npz", visible=visible))
    assert bank is not None and len(bank.points) == 1
    scores = np.ones((2, 3, 3), np.float32)
    scores[..., :2] = np.random.default_rng(0).uniform(0, 9, (2, 3, 2))
    scores[0, 0, 2] = 0.1
    bank = read_points(write(tmp_path / "p.npz", keypoints=scores))
    assert bank is not None and len(bank.points) == 1


def test_other_files_are_not_meant(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", positions=np.zeros(3))
    assert read_points(tmp_path / "other.npz") is None
    assert read_points(tmp_path / "none.npz") is None and read_points(tmp_path) is None


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"joint_names": None}, "needs 'joint_names'"),
        ({"keypoints": np.zeros((2, 4, 2))}, r"keypoints must be \(N,3,2\)"),
        ({"keypoints": np.full((2, 3, 2), np.nan)}, "pose 0 holds NaN"),
        ({"keypoints": np.zeros((2, 3, 2))}, "lie on one point"),
        ({"visible": np.zeros((2, 3), bool)}, "every pose has an unseen joint"),
        ({"visible": np.zeros((1, 3), bool)}, "visible must be"),
        ({"joint_names": np.array(["head", "left_hand", "neck"])}, "r_hand missing"),
    ],
)
def test_unusable_files_are_named(tmp_path: Path, changes: dict[str, object], named: str) -> None:
    with pytest.raises(UserError, match=named):
        read_points(write(tmp_path / "bad.npz", **changes))


def test_points_must_fit_the_skeleton() -> None:
    with pytest.raises(UserError, match=r"points must be \(N>0,12,2\)"):
        make_point_bank(np.zeros((4, 3, 2)), get_skeleton("limbs12"), "array")


def test_real_label_files(shared_data: Path) -> None:
    for name, joints in (("penn_action_train", 13), ("jhmdb_train1", 15), ("mini_rgbd", 14)):
        bank = read_points(shared_data / f"pose2d/{name}.npz")
        assert bank is not None and bank.points.shape[1:] == (joints, 2), name
    assert named_joints(["l_a", "r_a"], "f").mirror == (1, 0)
