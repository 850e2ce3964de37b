"""Names of joints across dialects."""

from __future__ import annotations

import numpy as np
import pytest

from fastpose.data.motion_capture.joint_names import nearest_on_chain, place_joints, split_side
from fastpose.errors import UserError

ARMS_AND_LEGS = [
    "{}UpLeg", "{}Leg", "{}Foot", "{}Shoulder", "{}Arm", "{}ForeArm", "{}Hand",
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("LeftArm", ("l", "arm")),
        ("mixamorig:RightUpLeg", ("r", "upleg")),
        ("UpperArm_L", ("l", "upperarm")),
        ("r_knee", ("r", "knee")),
        ("lShldr", ("l", "shldr")),
        ("LHipJoint", ("l", "hipjoint")),
        ("lowerback", ("", "lowerback")),
        ("Hips", ("", "hips")),
    ],
)
def test_sides(name: str, expected: tuple[str, str]) -> None:
    assert split_side(name) == expected


def names(sides: tuple[str, str] = ("Left", "Right")) -> list[str]:
    limbs = [part.format(side) for side in sides for part in ARMS_AND_LEGS]
    return ["Hips", "Spine", "Neck", "Head", *limbs]


def test_the_collar_is_not_the_shoulder() -> None:
    found = place_joints(names(), "f.bvh")
    assert names()[found["l_shoulder"]] == "LeftArm"
    assert names()[found["r_hip"]] == "RightUpLeg"
    assert "l_toe" not in found and "spine" not in found
    other = [n.replace("Arm", "Elbow").replace("ForeElbow", "Elbow2") for n in names()]
    assert other[place_joints(other, "f.bvh")["l_shoulder"]] == "LeftShoulder"


def test_unknown_names_are_listed() -> None:
    with pytest.raises(UserError, match=r"f\.bvh: no joint is named for r_hip"):
        place_joints(["bone1", "bone2"], "f.bvh")


def test_the_spine_is_the_middle_of_the_trunk() -> None:
    parents = [-1, 0, 1, 2, 3]
    heights = np.array([0.0, 0.1, 0.3, 0.5, 0.6])
    positions = np.zeros((2, 5, 3))
    positions[..., 1] = heights
    assert nearest_on_chain(parents, positions, positions[:, 0], 4) == 2
    assert nearest_on_chain([-1, 0], positions[:, :2], positions[:, 0], 1) is None
