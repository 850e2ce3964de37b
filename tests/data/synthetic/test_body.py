"""Kinematics: bone lengths, left and right, and the direction of every angle."""

from __future__ import annotations

import numpy as np
import pytest

from fastpose.data.motion_capture import PARENTS
from fastpose.data.synthetic.body import (
    JOINT,
    LIMITS,
    SKELETON,
    TEMPLATE_HEIGHT,
    Body,
    forward_kinematics,
    joint_distances,
    random_body,
)


@pytest.fixture(scope="module")
def body() -> Body:
    return random_body(np.random.default_rng(3), bone_spread=0.1, girth_spread=0.25)


def pose(body: Body, **degrees: float) -> dict[str, np.ndarray]:
    angles = {name: np.array([degrees.get(name, 0.0)]) for name in LIMITS}
    positions, face = forward_kinematics(body, angles)
    return {name: positions[0, i] for name, i in JOINT.items()} | {"face": face[0]}


def test_standing_height_and_sides(body: Body) -> None:
    at = pose(body)
    ankle_height = body.height - (at["head_top"][1] - at["l_ankle"][1])
    assert ankle_height == pytest.approx(0.08 * body.scale)
    assert np.allclose(at["face"], [0, 0, 1])
    for joint in ("hip", "knee", "ankle", "toe", "shoulder", "elbow", "wrist"):
        left, right = at[f"l_{joint}"], at[f"r_{joint}"]
        assert left[0] > 0.05  # the person's left is +x when it faces +z
        assert np.allclose(left * [-1, 1, 1], right)
    assert at["l_toe"][2] > at["l_ankle"][2] + 0.05


@pytest.mark.parametrize(
    ("angle", "joint", "axis", "sign"),
    [
        ("pitch", "head_top", 2, 1),
        ("spine_bend", "head_top", 2, 1),
        ("spine_side", "head_top", 0, 1),
        ("neck_bend", "head_top", 2, 1),
        ("l_hip_flex", "l_knee", 2, 1),
        ("r_hip_flex", "r_knee", 2, 1),
        ("l_hip_abduct", "l_ankle", 0, 1),
        ("r_hip_abduct", "r_ankle", 0, -1),
        ("l_hip_twist", "l_toe", 0, 1),
        ("r_hip_twist", "r_toe", 0, -1),
        ("l_knee_flex", "l_ankle", 2, -1),
        ("r_ankle_flex", "r_toe", 1, 1),
        ("l_shoulder_flex", "l_elbow", 2, 1),
        ("l_shoulder_abduct", "l_elbow", 0, 1),
        ("r_shoulder_abduct", "r_elbow", 0, -1),
        ("l_elbow_flex", "l_wrist", 2, 1),
        ("yaw", "l_toe", 0, 1),
        ("spine_turn", "l_shoulder", 2, -1),
    ],
)
def test_direction_of_each_angle(body: Body, angle: str, joint: str, axis: int, sign: int) -> None:
    moved = pose(body, **{angle: 30.0})[joint] - pose(body)[joint]
    assert sign * moved[axis] > 0.02


def test_a_turned_neck_turns_the_face_to_the_left(body: Body) -> None:
    assert pose(body, neck_turn=40)["face"][0] > 0.5


def test_bone_lengths_do_not_depend_on_the_pose(body: Body) -> None:
    rng = np.random.default_rng(0)
    angles = {
        name: rng.uniform(*(limit if np.isfinite(limit[0]) else (-180, 180)), 50)
        for name, limit in LIMITS.items()
    }
    positions, face = forward_kinematics(body, angles)
    for a, b in SKELETON.limbs:
        length = np.linalg.norm(positions[:, a] - positions[:, b], axis=-1)
        assert np.ptp(length) < 1e-9
    assert np.allclose(np.linalg.norm(face, axis=-1), 1)


def test_bodies_vary_within_their_spread() -> None:
    bodies = [
        random_body(np.random.default_rng(i), bone_spread=0.1, girth_spread=0.25)
        for i in range(200)
    ]
    thigh = np.array([b.bones["thigh"] / b.scale for b in bodies])
    girth = np.array([list(b.girth.values()) for b in bodies])
    assert thigh.max() / thigh.min() < 1.1 / 0.9 + 1e-9
    assert thigh.std() > 0.01
    assert girth.min() >= 0.75 and girth.max() <= 1.25
    heights = np.array([b.height for b in bodies])
    assert 1.3 < heights.min() < 1.6 < 1.8 < heights.max() < 2.1


def test_joints_are_as_far_apart_as_the_pose_puts_them() -> None:
    body = random_body(np.random.default_rng(1), bone_spread=0.1, girth_spread=0.1, kind="infant")
    angles = {name: np.full(1, np.clip(20.0, *LIMITS[name])) for name in LIMITS}
    positions, _ = forward_kinematics(body, angles)
    seen = np.linalg.norm(positions[0, 1:] - positions[0, PARENTS[1:]], axis=-1)
    assert joint_distances(body) == pytest.approx(seen)


def test_the_height_follows_from_the_bones() -> None:
    body = random_body(np.random.default_rng(1), bone_spread=0.0, girth_spread=0.0)
    assert body.scale * TEMPLATE_HEIGHT == pytest.approx(body.height)
