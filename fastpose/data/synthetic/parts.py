"""The solid body: tapered capsules hung on the joints.

A part is a tapered capsule in its own space: the axis is y, from a sphere of radius ``r0`` at the
origin to one of radius ``r1`` at (0, L, 0); z is its front. Depth along z may be stretched, so the
trunk is wider than deep and the head an ellipsoid.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fastpose.data.synthetic.body import JOINT
from fastpose.data.synthetic.motion import BodyMotion


@dataclass(frozen=True)
class Part:
    """Shape of one part for a body of 1.69 m.

    The axis runs from ``start`` to ``end`` (shares of the way from joint ``bottom`` to joint
    ``top``). ``front`` says where its z axis comes from, ``depth`` stretches z, and ``shift``
    moves it towards the front by metres.
    """

    name: str
    bottom: str
    top: str
    start: float
    end: float
    r0: float
    r1: float
    girth: str
    front: str
    depth: float = 1.0
    shift: float = 0.0


def _limbs(side: str) -> tuple[Part, ...]:
    s = f"{side}_"
    elbow, wrist, knee, ankle = f"{s}elbow", f"{s}wrist", f"{s}knee", f"{s}ankle"
    return (
        Part(f"{s}upper_arm", elbow, f"{s}shoulder", 0.0, 1.0, 0.043, 0.056, "arm", "chest"),
        Part(f"{s}forearm", wrist, elbow, 0.0, 1.0, 0.032, 0.045, "arm", "chest"),
        Part(f"{s}hand", wrist, elbow, -0.40, -0.14, 0.037, 0.041, "arm", "chest", 0.75),
        Part(f"{s}thigh", knee, f"{s}hip", 0.0, 1.0, 0.058, 0.088, "leg", "hips"),
        Part(f"{s}shin", ankle, knee, 0.0, 1.0, 0.041, 0.059, "leg", "hips"),
        Part(f"{s}foot", ankle, f"{s}toe", -0.20, 1.15, 0.044, 0.036, "leg", "up", 0.8, -0.012),
    )


PARTS: tuple[Part, ...] = (
    Part("hips", "r_hip", "l_hip", 0.10, 0.90, 0.100, 0.100, "trunk", "hips", 1.05),
    Part("abdomen", "pelvis", "spine", 0.35, 1.0, 0.138, 0.134, "trunk", "hips", 0.74),
    Part("chest", "spine", "thorax", -0.05, 0.70, 0.132, 0.152, "trunk", "chest", 0.70),
    Part("shoulders", "r_shoulder", "l_shoulder", 0.10, 0.90, 0.062, 0.062, "trunk", "chest", 1.0),
    Part("neck", "thorax", "head", -0.30, 0.90, 0.075, 0.052, "trunk", "chest"),
    Part("head", "head", "head_top", 0.42, 0.60, 0.074, 0.080, "head", "face", 1.18, 0.012),
    Part("hair", "head", "head_top", 0.55, 0.66, 0.082, 0.080, "head", "face", 1.12, -0.016),
    Part("nose", "head", "head_top", 0.38, 0.52, 0.016, 0.010, "head", "face", 1.0, 0.096),
    *_limbs("l"),
    *_limbs("r"),
)
_ACROSS = {"hips": "pelvis", "shoulders": "thorax"}
PART_NAMES = tuple(part.name for part in PARTS)
PART = {part.name: i for i, part in enumerate(PARTS)}


def _unit(v: np.ndarray) -> np.ndarray:
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9)


@dataclass(frozen=True)
class PlacedParts:
    """P parts over T frames, in world space (metres).

    Args:
        origin: (T,P,3) centre of the sphere of radius ``r0``.
        axes: (T,P,3,3) rows are the part's x, y and z axes.
        length: (T,P) distance L of the two spheres' centres.
        r0, r1: (P,) radii.
        depth: (P,) stretch along z.
    """

    origin: np.ndarray
    axes: np.ndarray
    length: np.ndarray
    r0: np.ndarray
    r1: np.ndarray
    depth: np.ndarray

    def frames(self, which: slice) -> PlacedParts:
        """The same parts over some of the frames."""
        return replace(
            self, origin=self.origin[which], axes=self.axes[which], length=self.length[which]
        )

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Centres of the two end spheres, each (T,P,3)."""
        return self.origin, self.origin + self.length[..., None] * self.axes[..., 1, :]

    def reach(self) -> np.ndarray:
        """(P,) radius that holds either end of a part in every direction."""
        return np.maximum(self.r0, self.r1) * np.maximum(self.depth, 1.0)


def place_parts(motion: BodyMotion, girth: dict[str, float], hair: dict[str, float]) -> PlacedParts:
    """Hang every part of :data:`PARTS` on a motion's joints.

    Args:
        motion: joints and the face's direction.
        girth: factor on the radii of each group of parts (see :class:`Body`).
        hair: ``start`` and ``shift`` overrides of the hair (length of the hair).
    """
    p = motion.positions
    joint = {name: p[:, i] for name, i in JOINT.items()}
    hip_line = joint["l_hip"] - joint["r_hip"]
    chest_line = joint["l_shoulder"] - joint["r_shoulder"]
    front = {
        "hips": np.cross(hip_line, joint["spine"] - joint["pelvis"]),
        "chest": np.cross(chest_line, joint["thorax"] - joint["spine"]),
        "face": motion.face,
        "up": np.broadcast_to(np.array([0.0, 1.0, 0.0]), hip_line.shape),
    }
    size = {key: motion.scale * value for key, value in girth.items()}
    origin, axes, length = [], [], []
    for part in PARTS:
        start = hair["start"] if part.name == "hair" else part.start
        shift = hair["shift"] if part.name == "hair" else part.shift
        bottom, span = joint[part.bottom], joint[part.top] - joint[part.bottom]
        y = _unit(span)
        if part.name.endswith(("thigh", "shin")):
            # The hips' line keeps its meaning however far the leg is lifted.
            x = _unit(hip_line - (hip_line * y).sum(-1, keepdims=True) * y)
            z = np.cross(x, y)
        else:
            z = front[part.front]
            z = _unit(z - (z * y).sum(-1, keepdims=True) * y)
            x = np.cross(y, z)
        origin.append(bottom + start * span + shift * size[part.girth] * z)
        axes.append(np.stack([x, y, z], axis=1))
        length.append((part.end - start) * np.linalg.norm(span, axis=-1))
    factor = np.array([size[part.girth] for part in PARTS])
    return PlacedParts(
        np.stack(origin, 1),
        np.stack(axes, 1),
        np.stack(length, 1),
        factor * [part.r0 for part in PARTS],
        factor * [part.r1 for part in PARTS],
        np.array([part.depth for part in PARTS]),
    )


def joint_depths(motion: BodyMotion, girth: dict[str, float]) -> np.ndarray:
    """(19,) how far from each joint the skin of the parts that meet in it lies at most, metres."""
    depth = np.zeros(len(JOINT))
    for part in PARTS:
        radius = max(part.r0, part.r1) * max(part.depth, 1.0) + abs(part.shift)
        radius *= girth[part.girth] * motion.scale
        ends = motion.positions[:, [JOINT[part.bottom], JOINT[part.top]]]
        length = float(np.linalg.norm(ends[:, 1] - ends[:, 0], axis=-1).mean())
        reach = {part.bottom: max(-part.start, 0) * length, part.top: max(part.end - 1, 0) * length}
        if part.name in _ACROSS:  # a bar through the middle of the trunk
            reach[_ACROSS[part.name]] = (part.end - 0.5) * length
        for name, beyond in reach.items():
            depth[JOINT[name]] = max(depth[JOINT[name]], radius + min(beyond, 0.12 * motion.scale))
    return depth
