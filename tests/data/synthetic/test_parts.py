"""Parts: frames of reference, fronts, lengths, and how deep joints lie under the skin."""

from __future__ import annotations

import numpy as np

from fastpose.data.synthetic.body import JOINT, LIMITS, forward_kinematics, random_body
from fastpose.data.synthetic.motion import BodyMotion
from fastpose.data.synthetic.parts import PART, PARTS, PlacedParts, joint_depths, place_parts

HAIR = {"start": 0.6, "shift": -0.02}


def stand(**degrees: float) -> tuple[BodyMotion, dict[str, float]]:
    body = random_body(np.random.default_rng(0), bone_spread=0.0, girth_spread=0.0)
    angles = {name: np.full(2, degrees.get(name, 0.0)) for name in LIMITS}
    positions, face = forward_kinematics(body, angles)
    return BodyMotion(positions, face, "test", body.scale, body.height), body.girth


def place(**degrees: float) -> PlacedParts:
    motion, girth = stand(**degrees)
    return place_parts(motion, girth, HAIR)


def test_shapes_and_orthonormal_right_handed_axes() -> None:
    parts = place(l_shoulder_flex=60, r_hip_flex=80, r_knee_flex=70, spine_bend=30)
    assert parts.origin.shape == (2, len(PARTS), 3)
    axes = parts.axes
    assert np.allclose(axes @ axes.swapaxes(-1, -2), np.eye(3), atol=1e-6)
    assert np.allclose(np.linalg.det(axes), 1)


def test_fronts_of_a_standing_body_point_forward() -> None:
    parts = place()
    for name in ("hips", "abdomen", "chest", "shoulders", "neck", "head", "l_thigh", "r_shin"):
        assert parts.axes[0, PART[name], 2, 2] > 0.95, name
    assert parts.axes[0, PART["l_foot"], 1, 2] > 0.9  # a foot's axis points to the toes


def test_a_thigh_keeps_its_front_when_lifted() -> None:
    parts = place(l_hip_flex=90)
    assert parts.axes[0, PART["l_thigh"], 2, 1] > 0.95  # its front now looks up


def test_the_face_follows_the_head() -> None:
    assert place(neck_turn=60).axes[0, PART["head"], 2, 0] > 0.8
    assert abs(place(neck_turn=60).axes[0, PART["chest"], 2, 0]) < 1e-6


def test_ends_lie_on_the_joints() -> None:
    motion, girth = stand(l_elbow_flex=50)
    parts = place_parts(motion, girth, HAIR)
    start, end = parts.ends()
    forearm = PART["l_forearm"]
    assert np.allclose(start[:, forearm], motion.positions[:, JOINT["l_wrist"]])
    assert np.allclose(end[:, forearm], motion.positions[:, JOINT["l_elbow"]])
    some = parts.frames(slice(0, 1))
    assert np.array_equal(some.origin, parts.origin[:1]) and some.r0 is parts.r0


def test_girth_widens_its_group_alone() -> None:
    motion, girth = stand()
    thin, wide = (place_parts(motion, girth | {"leg": g}, HAIR) for g in (1.0, 1.2))
    ratio = wide.r0 / thin.r0
    for i, part in enumerate(PARTS):
        assert np.isclose(ratio[i], 1.2 if part.girth == "leg" else 1.0)


def test_joint_depths_are_those_of_a_body() -> None:
    depth = joint_depths(*stand())
    assert (depth > 0.025).all() and (depth < 0.3).all()
    assert depth[JOINT["pelvis"]] > depth[JOINT["l_knee"]] > 0.05
