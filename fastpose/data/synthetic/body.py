"""A synthetic actor's body: joint angles with limits, proportions, and forward kinematics.

Body space is right-handed: x to the person's left, y up, z to the front. All angles are degrees and
named so that the left and the right side of a symmetric pose have equal values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fastpose.skeletons import get_skeleton

SKELETON = get_skeleton("mocap19")
JOINT = {name: i for i, name in enumerate(SKELETON.joints)}

# Degrees of freedom and their limits in degrees. Assumed: rounded from textbook ranges of motion.
# Positive is forward bend, bend or turn to the left, flexion, abduction, outward twist, toes up.
_TRUNK_LIMITS = {
    "yaw": (-np.inf, np.inf),  # heading of the pelvis
    "pitch": (-20.0, 80.0),  # lean of the pelvis
    "roll": (-20.0, 20.0),
    "spine_bend": (-25.0, 65.0),
    "spine_side": (-30.0, 30.0),
    "spine_turn": (-40.0, 40.0),
    "neck_bend": (-35.0, 45.0),
    "neck_side": (-30.0, 30.0),
    "neck_turn": (-65.0, 65.0),
}
_SIDE_LIMITS = {
    "hip_flex": (-30.0, 120.0),
    "hip_abduct": (-15.0, 50.0),
    "hip_twist": (-30.0, 40.0),
    "knee_flex": (0.0, 140.0),
    "ankle_flex": (-45.0, 30.0),
    "shoulder_flex": (-50.0, 172.0),
    "shoulder_abduct": (-15.0, 168.0),
    "shoulder_twist": (-75.0, 90.0),
    "elbow_flex": (0.0, 142.0),
}
LIMITS: dict[str, tuple[float, float]] = _TRUNK_LIMITS | {
    f"{side}_{name}": limit for side in "lr" for name, limit in _SIDE_LIMITS.items()
}
Angles = Mapping[str, np.ndarray]

# Bone lengths in metres of a person 1.69 m tall. Assumed: between the CMU and anthropometric means.
_BONES = {
    "hip_half_width": 0.092,
    "hip_drop": 0.02,
    "thigh": 0.43,
    "shin": 0.42,
    "foot": 0.15,
    "lumbar": 0.20,
    "chest": 0.25,
    "neck": 0.10,
    "head": 0.19,
    "shoulder_half_width": 0.172,
    "upper_arm": 0.285,
    "forearm": 0.255,
}
# An infant of about three months, grown to the same 1.69 m: a big head, short legs. Assumed.
_INFANT_BONES = {
    "hip_half_width": 0.105,
    "hip_drop": 0.025,
    "thigh": 0.33,
    "shin": 0.305,
    "foot": 0.15,
    "lumbar": 0.21,
    "chest": 0.265,
    "neck": 0.115,
    "head": 0.36,
    "shoulder_half_width": 0.172,
    "upper_arm": 0.28,
    "forearm": 0.235,
}
ANKLE_HEIGHT = 0.08  # of a standing person, metres at scale 1
_TOE_DROP = 0.055
_SHOULDER_DROP = 0.1  # share of the shoulders' half width
_UPRIGHT = ("shin", "thigh", "hip_drop", "lumbar", "chest", "neck", "head")
TEMPLATE_HEIGHT = ANKLE_HEIGHT + sum(_BONES[bone] for bone in _UPRIGHT)


@dataclass(frozen=True)
class Body:
    """Proportions of one actor.

    Args:
        bones: bone lengths in metres, keys of the template.
        girth: factor on the radius of each group of body parts, relative to the body's ``scale``.
        scale: size relative to the template of 1.69 m.
    """

    bones: dict[str, float]
    girth: dict[str, float]
    scale: float

    @property
    def height(self) -> float:
        """Height in metres when standing upright."""
        return ANKLE_HEIGHT * self.scale + sum(self.bones[bone] for bone in _UPRIGHT)


GIRTH_GROUPS = ("trunk", "head", "arm", "leg")


@dataclass(frozen=True)
class BodyKind:
    """The mean body that actors are drawn around.

    Args:
        heights: smallest and largest standing height in metres.
        bones: bone lengths in metres at a height of 1.69 m.
        girth: factor on the radii of each group of parts.
    """

    heights: tuple[float, float]
    bones: Mapping[str, float]
    girth: Mapping[str, float]


BODY_KINDS = {
    "adult": BodyKind((1.5, 1.9), _BONES, dict.fromkeys(GIRTH_GROUPS, 1.0)),
    "infant": BodyKind(
        (0.55, 0.70), _INFANT_BONES, {"trunk": 1.2, "head": 1.85, "arm": 1.2, "leg": 1.2}
    ),
}


def random_body(
    rng: np.random.Generator, *, bone_spread: float, girth_spread: float, kind: str = "adult"
) -> Body:
    """Draw a body of a kind, each bone off its mean by at most ``bone_spread`` (a share).

    Radii differ by at most ``girth_spread``; two thirds of it are the whole body's build, so that
    no thin thigh ends in a fat shin.
    """
    mean = BODY_KINDS[kind]
    scale = rng.uniform(*mean.heights) / TEMPLATE_HEIGHT
    bones = {
        name: length * scale * (1 + bone_spread * rng.uniform(-1, 1))
        for name, length in mean.bones.items()
    }
    build = rng.uniform(-1, 1)
    girth = {g: 1 + girth_spread * (2 * build + rng.uniform(-1, 1)) / 3 for g in GIRTH_GROUPS}
    girth["head"] = 1 + girth_spread * rng.uniform(-0.3, 0.3)  # heads differ less than limbs
    return Body(bones, {g: value * mean.girth[g] for g, value in girth.items()}, scale)


def joint_distances(body: Body) -> np.ndarray:
    """(18,) how far each joint but the pelvis is from the one that it hangs on, metres."""
    bone = body.bones
    width = bone["shoulder_half_width"]
    trunk = [bone[name] for name in ("lumbar", "chest", "neck", "head")]
    hip = np.hypot(bone["hip_half_width"], bone["hip_drop"])
    foot = np.hypot(_TOE_DROP * body.scale, bone["foot"])
    leg = [hip, bone["thigh"], bone["shin"], foot]
    arm = [np.hypot(width, _SHOULDER_DROP * width), bone["upper_arm"], bone["forearm"]]
    return np.array(2 * leg + trunk + 2 * arm)  # in the skeleton's order


def _rotation(axis: int, degrees: np.ndarray) -> np.ndarray:
    """Rotations (T,3,3) about one axis by ``degrees`` (T,)."""
    angle = np.deg2rad(degrees)
    c, s = np.cos(angle), np.sin(angle)
    matrix = np.zeros((len(angle), 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix[:, axis, axis] = 1
    matrix[:, i, i], matrix[:, j, j] = c, c
    matrix[:, i, j], matrix[:, j, i] = -s, s
    return matrix


def _rx(degrees: np.ndarray) -> np.ndarray:
    return _rotation(0, degrees)


def _ry(degrees: np.ndarray) -> np.ndarray:
    return _rotation(1, degrees)


def _rz(degrees: np.ndarray) -> np.ndarray:
    return _rotation(2, degrees)


def forward_kinematics(body: Body, angles: Angles) -> tuple[np.ndarray, np.ndarray]:
    """Joints of a body in the given pose.

    Args:
        body: proportions.
        angles: every degree of freedom of :data:`LIMITS` as degrees (T,).

    Returns:
        positions (T,19,3) in metres relative to the pelvis, and the direction (T,3) of the face.
    """
    a, bone = angles, body.bones
    frames = len(a["yaw"])
    out = np.zeros((frames, len(JOINT), 3))

    def step(
        parent: str, joint: str, rotation: np.ndarray, offset: tuple[float, float, float]
    ) -> None:
        out[:, JOINT[joint]] = out[:, JOINT[parent]] + rotation @ np.array(offset)

    pelvis = _ry(a["yaw"]) @ _rx(a["pitch"]) @ _rz(-a["roll"])
    half = [_ry(a["spine_turn"] / 2), _rz(-a["spine_side"] / 2), _rx(a["spine_bend"] / 2)]
    lumbar = pelvis @ half[0] @ half[1] @ half[2]
    chest = lumbar @ half[0] @ half[1] @ half[2]
    head = chest @ _ry(a["neck_turn"]) @ _rz(-a["neck_side"]) @ _rx(a["neck_bend"])
    step("pelvis", "spine", lumbar, (0, bone["lumbar"], 0))
    step("spine", "thorax", chest, (0, bone["chest"], 0))
    # The neck follows the head half-way.
    neck = chest @ _ry(a["neck_turn"] / 2) @ _rz(-a["neck_side"] / 2) @ _rx(a["neck_bend"] / 2)
    step("thorax", "head", neck, (0, bone["neck"], 0))
    step("head", "head_top", head, (0, bone["head"], 0))

    for side, sign in (("l", 1.0), ("r", -1.0)):
        get = {name: a[f"{side}_{name}"] for name in _SIDE_LIMITS}
        step("pelvis", f"{side}_hip", pelvis, (sign * bone["hip_half_width"], -bone["hip_drop"], 0))
        swing = _rx(-get["hip_flex"]) @ _rz(sign * get["hip_abduct"])
        thigh = pelvis @ swing @ _ry(sign * get["hip_twist"])
        step(f"{side}_hip", f"{side}_knee", thigh, (0, -bone["thigh"], 0))
        shin = thigh @ _rx(get["knee_flex"])
        step(f"{side}_knee", f"{side}_ankle", shin, (0, -bone["shin"], 0))
        foot = shin @ _rx(-get["ankle_flex"])
        drop = _TOE_DROP * body.scale
        step(f"{side}_ankle", f"{side}_toe", foot, (0, -drop, bone["foot"]))

        swing = _rx(-get["shoulder_flex"]) @ _rz(sign * get["shoulder_abduct"])
        # The shoulder blade turns up with an arm raised beyond 45 degrees.
        raised = np.rad2deg(np.arccos(np.clip(swing[:, 1, 1], -1, 1)))
        clavicle = chest @ _rz(sign * 0.22 * np.maximum(raised - 45, 0))
        width = bone["shoulder_half_width"]
        step("thorax", f"{side}_shoulder", clavicle, (sign * width, -_SHOULDER_DROP * width, 0.0))
        upper = chest @ swing @ _ry(sign * get["shoulder_twist"])
        step(f"{side}_shoulder", f"{side}_elbow", upper, (0, -bone["upper_arm"], 0))
        fore = upper @ _rx(-get["elbow_flex"])
        step(f"{side}_elbow", f"{side}_wrist", fore, (0, -bone["forearm"], 0))
    return out, head[:, :, 2]
