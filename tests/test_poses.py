"""The result every detector gives."""

from __future__ import annotations

import numpy as np
import pytest

from fastpose.poses import Poses
from fastpose.skeletons import get_skeleton


def test_joints_by_name() -> None:
    skeleton = get_skeleton("limbs12")
    points = np.arange(48, dtype=np.float32).reshape(2, 12, 2)
    poses = Poses(points, np.full((2, 12), 0.5, np.float32), skeleton)
    assert len(poses) == 2
    first, second = poses.by_name()
    assert tuple(first) == skeleton.joints
    joint = skeleton.index("l_wrist")
    assert second["l_wrist"] == (*points[1, joint], 0.5)
    assert all(type(v) is float for v in first["r_hip"])


def test_no_picture_no_pose() -> None:
    skeleton = get_skeleton("limbs12")
    poses = Poses(np.zeros((0, 12, 2)), np.zeros((0, 12)), skeleton)
    assert len(poses) == 0 and poses.by_name() == []


def test_joints_must_match_the_skeleton() -> None:
    poses = Poses(np.zeros((1, 3, 2)), np.zeros((1, 3)), get_skeleton("limbs12"))
    with pytest.raises(ValueError, match="zip"):
        poses.by_name()
