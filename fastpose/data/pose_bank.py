"""A bag of still 3D poses from recordings: thinned, proportioned, turned to face the camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastpose.data.motion_capture import JOINTS, PARENTS, Motion
from fastpose.errors import UserError

_CHILDREN = tuple(j for j, p in enumerate(PARENTS) if p >= 0)
_INDEX = {joint: i for i, joint in enumerate(JOINTS)}
_SOLE = 0.045  # height of the ankle over the ground in body heights (assumed)

# Bones that grow and shrink together, left with right, when proportions are varied.
BONE_GROUPS: tuple[tuple[str, ...], ...] = (
    ("spine", "thorax"),
    ("head", "head_top"),
    ("l_shoulder", "r_shoulder"),
    ("l_elbow", "r_elbow"),
    ("l_wrist", "r_wrist"),
    ("l_hip", "r_hip"),
    ("l_knee", "r_knee"),
    ("l_ankle", "r_ankle"),
    ("l_toe", "r_toe"),
)


def _path_matrix() -> np.ndarray:
    """(19, 18): which bones lead from the pelvis to each joint."""
    matrix = np.zeros((len(JOINTS), len(_CHILDREN)), np.float32)
    for joint in range(len(JOINTS)):
        at = joint
        while PARENTS[at] >= 0:
            matrix[joint, _CHILDREN.index(at)] = 1.0
            at = PARENTS[at]
    return matrix


PATHS = _path_matrix()
BONE_GROUP_OF = np.array(
    [next(g for g, names in enumerate(BONE_GROUPS) if JOINTS[c] in names) for c in _CHILDREN]
)


@dataclass(frozen=True)
class PoseBank:
    """N poses in body heights: bones from the pelvis out, the body facing the camera (+z).

    Args:
        bones: (N,18,3) float32, each joint's offset from its parent, x to the person's left,
            y up, z forward.
        root_height: (N,) float32, height of the pelvis over the ground.
        weights: (N,) float64, sums to one: how often each pose is drawn.
        recordings: how many recordings the poses come from.
    """

    bones: np.ndarray
    root_height: np.ndarray
    weights: np.ndarray
    recordings: int = 1

    def __len__(self) -> int:
        return len(self.bones)

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """(n,) indices of poses, drawn by weight."""
        return draw_weighted(self.weights, n, rng)

    def take(self, index: np.ndarray) -> PoseBank:
        """The poses ``index`` (n,), all equally likely."""
        weights = np.full(len(index), 1.0 / max(len(index), 1))
        return PoseBank(self.bones[index], self.root_height[index], weights, self.recordings)

    def replaced(self, where: np.ndarray, other: PoseBank) -> PoseBank:
        """These poses, those at ``where`` (N,) bool taken from ``other`` of the same length."""
        bones = np.where(where[:, None, None], other.bones, self.bones)
        height = np.where(where, other.root_height, self.root_height)
        return PoseBank(bones, height, self.weights, self.recordings)

    def positions(self, bone_scale: np.ndarray | None = None) -> np.ndarray:
        """(N,19,3) joints of all poses, pelvis at x = z = 0, ground at y = 0.

        ``bone_scale`` (N,9) multiplies the bones of each of :data:`BONE_GROUPS`; the pelvis is
        raised or lowered with the legs so that the lowest foot stays where it was.
        """
        bones, height = self.bones, self.root_height
        if bone_scale is not None:
            bones = bones * bone_scale[:, BONE_GROUP_OF, None]
        joints = PATHS @ bones
        if bone_scale is not None:
            before = (PATHS[_FEET] @ self.bones)[..., 1].min(axis=1)
            height = height + before - joints[:, _FEET, 1].min(axis=1)
        joints[..., 1] += height[:, None]
        return joints


def draw_weighted(weights: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """(n,) indices drawn with probabilities proportional to ``weights``."""
    cumulative = np.cumsum(weights)
    place = np.searchsorted(cumulative, rng.random(n) * cumulative[-1], "right")
    return np.minimum(place, len(cumulative) - 1)


def recombine(
    bank: PoseBank, share: float, rng: np.random.Generator, donors: PoseBank | None = None
) -> PoseBank:
    """Give a ``share`` of the poses arms and legs of other poses.

    Recordings rarely hold every combination of what the limbs do. A recombined pose keeps its
    trunk; its legs come from a second pose, its left arm from a third, and its right arm from a
    fourth or, half of the time, mirrors the left one. Arms turn with the trunk that carries them.
    A third of the trunks is bent forward by up to 110 degrees, half of these with hanging arms.

    Args:
        bank: the poses to change.
        share: of them, in [0,1].
        rng: chooses poses and donors.
        donors: where limbs come from, drawn by weight; the bank itself when None.
    """
    if share <= 0.0:
        return bank
    donors = donors or bank
    chosen = np.flatnonzero(rng.random(len(bank)) < share)
    count = len(chosen)
    legs, left, right = (donors.draw(count, rng) for _ in range(3))
    symmetric = rng.random(count) < 0.5
    crossed = rng.random(count) < 0.5  # a left arm may have been a right one
    bones, height = bank.bones.copy(), bank.root_height.copy()
    own = bank.bones[chosen]
    new = own.copy()
    new[:, _LEG_BONES] = donors.bones[legs][:, _LEG_BONES]
    height[chosen] = donors.root_height[legs]
    left_arm = _arm(donors.bones[left], crossed, "l")
    right_arm = _arm(donors.bones[right], crossed, "r")
    mirror = np.array([-1.0, 1.0, 1.0], np.float32)
    right_arm = np.where(symmetric[:, None, None], left_arm * mirror, right_arm)
    angle = np.radians(rng.uniform(0.0, 110.0, count)) * (rng.random(count) < 1.0 / 3.0)
    upright = _trunk_frame(own)
    new[:, _TRUNK_BONES] = _bend(own[:, _TRUNK_BONES], angle)
    hanging = (rng.random(count) < 0.5)[:, None, None]
    frame = np.where(hanging, upright, _bend(upright, angle)).astype(np.float32)
    new[:, _ARM_BONES["l"]] = left_arm @ frame
    new[:, _ARM_BONES["r"]] = right_arm @ frame
    bones[chosen] = new
    return PoseBank(bones, height, bank.weights, bank.recordings)


def _arm(bones: np.ndarray, crossed: np.ndarray, side: str) -> np.ndarray:
    """(n,2,3) upper arm and forearm in the trunk's own axes, of the other side where crossed."""
    frame = _trunk_frame(bones).transpose(0, 2, 1)
    same = bones[:, _ARM_BONES[side]] @ frame
    other = bones[:, _ARM_BONES["r" if side == "l" else "l"]] @ frame
    return np.where(crossed[:, None, None], other * np.array([-1.0, 1.0, 1.0], np.float32), same)


def _bend(vectors: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Turn ``vectors`` (n,m,3) about the body's left-right axis, up towards the front."""
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    y, z = vectors[..., 1], vectors[..., 2]
    return np.stack([vectors[..., 0], y * cos - z * sin, y * sin + z * cos], axis=-1)


def _trunk_frame(bones: np.ndarray) -> np.ndarray:
    """(n,3,3) rows: the trunk's left, up and forward axes."""
    joints = PATHS @ bones
    up = joints[:, _INDEX["thorax"]]
    left = joints[:, _INDEX["l_shoulder"]] - joints[:, _INDEX["r_shoulder"]]
    up = up / np.maximum(np.linalg.norm(up, axis=-1, keepdims=True), 1e-6)
    left = left - (left * up).sum(-1, keepdims=True) * up
    left = left / np.maximum(np.linalg.norm(left, axis=-1, keepdims=True), 1e-6)
    return np.stack([left, up, np.cross(left, up)], axis=1)


_LEG_BONES = [
    _CHILDREN.index(_INDEX[f"{s}_{j}"]) for s in "lr" for j in ("hip", "knee", "ankle", "toe")
]
_TRUNK_BONES = [
    _CHILDREN.index(_INDEX[j])
    for j in ("spine", "thorax", "head", "head_top", "l_shoulder", "r_shoulder")
]
_ARM_BONES = {s: [_CHILDREN.index(_INDEX[f"{s}_{j}"]) for j in ("elbow", "wrist")] for s in "lr"}
_FEET = [_INDEX[j] for j in ("l_ankle", "r_ankle", "l_toe", "r_toe")]


def build_bank(
    motions: Sequence[Motion],
    *,
    thinning: float = 0.03,
    balance: str = "clip",
    bone_normalisation: float = 1.0,
    max_tilt: float = 180.0,
) -> PoseBank:
    """Turn recordings into a bank of poses; see ``PriorConfig`` for the arguments.

    Raises:
        UserError: no pose is left.
    """
    proportions = _common_proportions(motions)
    bones, heights, owners = [], [], []
    for m, motion in enumerate(motions):
        offset, height = _body_units(motion, proportions, bone_normalisation)
        keep = np.flatnonzero(_tilt(offset) <= max_tilt)
        keep = keep[_thin((PATHS @ offset[keep]), thinning)]
        bones.append(offset[keep])
        heights.append(height[keep])
        owners.append(np.full(len(keep), m, np.int32))
    owner = np.concatenate(owners) if owners else np.zeros(0, np.int32)
    if not len(owner):
        raise UserError(
            f"pose prior: none of the {len(motions)} recordings leaves a pose; "
            "widen its actions or max_tilt"
        )
    return PoseBank(
        np.concatenate(bones).astype(np.float32),
        np.concatenate(heights).astype(np.float32),
        _weights(owner, motions, balance),
        len(np.unique(owner)),
    )


def _bone_vectors(positions: np.ndarray) -> np.ndarray:
    """(N,18,3) offsets of each joint from its parent."""
    parents = [PARENTS[c] for c in _CHILDREN]
    return positions[:, list(_CHILDREN)] - positions[:, parents]


def _standing_height(lengths: np.ndarray) -> np.ndarray:
    """Height of a body of bone lengths (...,18) that stands upright."""
    bone = {JOINTS[c]: lengths[..., i] for i, c in enumerate(_CHILDREN)}
    leg = 0.5 * sum(bone[f"{s}_{part}"] for s in "lr" for part in ("knee", "ankle"))
    trunk = bone["spine"] + bone["thorax"] + bone["head"] + bone["head_top"]
    return (leg + trunk) / (1.0 - _SOLE)


def _mean_proportions(motion: Motion) -> np.ndarray:
    lengths = np.median(np.linalg.norm(_bone_vectors(motion.positions), axis=-1), axis=0)
    lengths = 0.5 * (lengths + lengths[[_CHILDREN.index(m) for m in _MIRRORED]])
    height = _standing_height(lengths)
    if not height > 0:
        raise UserError(f"motion '{motion.name}' of {motion.source}: its bones have no length")
    return lengths / height


_SWAP = {"l_": "r_", "r_": "l_"}
_MIRRORED = [_INDEX[_SWAP.get(JOINTS[c][:2], JOINTS[c][:2]) + JOINTS[c][2:]] for c in _CHILDREN]


def _common_proportions(motions: Sequence[Motion]) -> np.ndarray:
    """Bone lengths in body heights, averaged over sources so that large ones do not decide."""
    by_source: dict[str, list[np.ndarray]] = {}
    for motion in motions:
        by_source.setdefault(motion.source, []).append(_mean_proportions(motion))
    return np.mean([np.mean(rows, axis=0) for rows in by_source.values()], axis=0)


def _body_units(
    motion: Motion, proportions: np.ndarray, share: float
) -> tuple[np.ndarray, np.ndarray]:
    """Bones (N,18,3) facing +z and pelvis heights (N,), both in body heights."""
    vectors = _bone_vectors(motion.positions)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    own = _mean_proportions(motion)
    height = float(np.median(_standing_height(lengths[..., 0])))
    target = share * proportions + (1.0 - share) * own
    bones = vectors / np.maximum(lengths, 1e-6) * target[:, None]
    turned = _face_camera(bones)
    # Ground contact survives the new proportions: what was on the ground stays on it.
    feet_before = motion.positions[:, _FEET, 1]
    ground = np.percentile(feet_before.min(axis=1), 5.0)
    lift = (feet_before.min(axis=1) - ground) / height
    lowest = (PATHS[_FEET] @ turned)[..., 1].min(axis=1)
    return turned, lift - lowest


def _face_camera(bones: np.ndarray) -> np.ndarray:
    """Turn each pose about the vertical until hips and shoulders face +z."""
    joints = PATHS @ bones
    left, right = ([_INDEX[f"{s}_{part}"] for part in ("hip", "shoulder")] for s in "lr")
    across = (joints[:, left] - joints[:, right]).sum(axis=1)
    angle = np.arctan2(across[:, 2], across[:, 0])  # of the person's left, seen from above
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x = bones[..., 0] * cos + bones[..., 2] * sin
    z = -bones[..., 0] * sin + bones[..., 2] * cos
    return np.stack([x, bones[..., 1], z], axis=-1)


def _tilt(bones: np.ndarray) -> np.ndarray:
    """Angle in degrees between each trunk (pelvis to thorax) and the vertical."""
    trunk = PATHS[_INDEX["thorax"]] @ bones
    length = np.maximum(np.linalg.norm(trunk, axis=-1), 1e-6)
    return np.degrees(np.arccos(np.clip(trunk[:, 1] / length, -1.0, 1.0)))


def _thin(joints: np.ndarray, distance: float) -> np.ndarray:
    """Indices of frames each at least ``distance`` (mean over joints) from the one kept before."""
    if distance <= 0.0 or not len(joints):
        return np.arange(len(joints))
    kept = [0]
    while True:
        last = kept[-1]
        step = 16
        at = last + 1
        found = -1
        while at < len(joints) and found < 0:
            moved = np.linalg.norm(joints[at : at + step] - joints[last], axis=-1).mean(axis=-1)
            hits = np.flatnonzero(moved >= distance)
            found = at + int(hits[0]) if len(hits) else -1
            at, step = at + step, step * 2
        if found < 0:
            return np.array(kept)
        kept.append(found)


def _weights(owner: np.ndarray, motions: Sequence[Motion], balance: str) -> np.ndarray:
    keys = {
        "frame": lambda m: 0,
        "clip": lambda m: (m.source, m.name),
        "action": lambda m: m.action or m.name,
        "source": lambda m: m.source,
    }
    if balance not in keys:
        raise UserError(f"pose prior: balance must be one of {', '.join(keys)}, not '{balance}'")
    groups: dict[object, int] = {}
    group = np.array([groups.setdefault(keys[balance](m), len(groups)) for m in motions])[owner]
    weights = 1.0 / np.bincount(group, minlength=len(groups))[group]
    return weights / weights.sum()
