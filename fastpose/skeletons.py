"""Joint names, limbs, mirror pairs, and conversions between skeletons.

Joints are addressed by name, ``l_`` and ``r_`` being the person's own sides. A limb's end is a
joint index or a tuple of indices whose mean it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastpose.errors import UserError, lookup, nearest

End = int | tuple[int, ...]
LIMB_GROUPS = ("trunk", "head", "l_arm", "r_arm", "l_leg", "r_leg")


@dataclass(frozen=True)
class Skeleton:
    """K named joints, E limbs between them, and each joint's counterpart on the other side.

    Args:
        name: what the skeleton is called in recipes and files.
        joints: K unique joint names.
        limbs: E pairs of ends.
        mirror: for each joint the index of the joint on the other side (itself on the midline).
        limb_groups: for each limb one of :data:`LIMB_GROUPS`.

    Raises:
        UserError: an index out of range, a mirror that is no involution, or lengths that differ.
    """

    name: str
    joints: tuple[str, ...]
    limbs: tuple[tuple[End, End], ...]
    mirror: tuple[int, ...]
    limb_groups: tuple[str, ...]

    def __post_init__(self) -> None:
        count = len(self.joints)
        if count == 0 or len(set(self.joints)) != count:
            raise UserError(f"skeleton '{self.name}': joint names must be unique and not empty")
        for limb in self.limbs:
            for end in limb:
                indices = end if isinstance(end, tuple) else (end,)
                if not indices or any(not 0 <= i < count for i in indices):
                    raise UserError(
                        f"skeleton '{self.name}': limb {limb} names a joint outside 0..{count - 1}"
                    )
        if len(self.mirror) != count or any(
            not 0 <= m < count or self.mirror[m] != i for i, m in enumerate(self.mirror)
        ):
            raise UserError(f"skeleton '{self.name}': mirror must pair its {count} joints")
        if len(self.limb_groups) != len(self.limbs) or set(self.limb_groups) - set(LIMB_GROUPS):
            raise UserError(
                f"skeleton '{self.name}': one of {', '.join(LIMB_GROUPS)} is needed for each limb"
            )

    def index(self, joint: str) -> int:
        """Index of a joint; UserError with the nearest name where it is unknown."""
        try:
            return self.joints.index(joint)
        except ValueError:
            hint = nearest(joint, self.joints)
            raise UserError(f"skeleton '{self.name}' has no joint '{joint}'{hint}") from None

    def swap_sides(self, points: np.ndarray) -> np.ndarray:
        """Exchange left and right joints of ``points`` (..., K, D)."""
        return points[..., list(self.mirror), :]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able description, read back by :meth:`from_dict`."""
        return {
            "name": self.name,
            "joints": list(self.joints),
            "limbs": [
                [list(e) if isinstance(e, tuple) else e for e in limb] for limb in self.limbs
            ],
            "mirror": list(self.mirror),
            "limb_groups": list(self.limb_groups),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Skeleton:
        """Inverse of :meth:`to_dict`; UserError where a key is missing or of the wrong kind."""
        try:
            limbs = tuple((_end(limb[0]), _end(limb[1])) for limb in data["limbs"])
            return cls(
                name=str(data["name"]),
                joints=tuple(str(j) for j in data["joints"]),
                limbs=limbs,
                mirror=tuple(int(m) for m in data["mirror"]),
                limb_groups=tuple(str(g) for g in data["limb_groups"]),
            )
        except UserError:
            raise
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise UserError(
                "skeleton description: needs name, joints, limbs, mirror and limb_groups "
                f"({type(error).__name__}: {error})"
            ) from None


def _end(value: Any) -> End:
    return tuple(int(i) for i in value) if isinstance(value, (list, tuple)) else int(value)


def _group(names: Iterable[str]) -> str:
    """The body group of a limb from the names of its two ends' joints."""
    names = list(names)
    sides = {n[:2] for n in names if n[:2] in ("l_", "r_")}
    side = sides.pop() if len(sides) == 1 else None
    leg = any(part in n for n in names for part in ("knee", "ankle", "toe", "ball"))
    arm = any(part in n for n in names for part in ("elbow", "wrist", "thumb", "little"))
    if side and (leg or arm):
        return f"{side}leg" if leg else f"{side}arm"
    return "head" if any(p in n for n in names for p in ("head", "nose", "eye", "ear")) else "trunk"


def make_skeleton(name: str, joints: str, limbs: str) -> Skeleton:
    """A skeleton from words: joints apart by blanks, limbs as ``a-b``, a mean as ``a+b-c``.

    Mirror pairs and limb groups follow from the ``l_``/``r_`` prefixes.
    """
    names = tuple(joints.split())
    place = {joint: i for i, joint in enumerate(names)}

    def end(text: str) -> End:
        parts = tuple(place[p] for p in text.split("+"))
        return parts[0] if len(parts) == 1 else parts

    other = {"l_": "r_", "r_": "l_"}
    mirror = tuple(place[other.get(n[:2], n[:2]) + n[2:]] for n in names)
    pairs = [limb.split("-") for limb in limbs.split()]
    groups = tuple(_group(a.split("+") + b.split("+")) for a, b in pairs)
    return Skeleton(name, names, tuple((end(a), end(b)) for a, b in pairs), mirror, groups)


_LIMB_JOINTS = (
    "l_shoulder r_shoulder l_elbow r_elbow l_wrist r_wrist "
    "l_hip r_hip l_knee r_knee l_ankle r_ankle"
)
_LIMBS = (
    "l_shoulder-l_elbow l_elbow-l_wrist r_shoulder-r_elbow r_elbow-r_wrist "
    "l_hip-l_knee l_knee-l_ankle r_hip-r_knee r_knee-r_ankle"
)
_TRUNK_WITHOUT_SPINE = (
    "l_shoulder-r_shoulder l_hip-r_hip l_shoulder+r_shoulder-l_hip+r_hip"  # as Penn Action
)
_FEET = " l_ankle-l_toe r_ankle-r_toe"

SKELETONS: dict[str, Skeleton] = {
    s.name: s
    for s in (
        # The joints of the motion-capture files.
        make_skeleton(
            "mocap19",
            "pelvis r_hip r_knee r_ankle r_toe l_hip l_knee l_ankle l_toe spine thorax head "
            "head_top l_shoulder l_elbow l_wrist r_shoulder r_elbow r_wrist",
            "pelvis-spine spine-thorax thorax-head head-head_top pelvis-l_hip pelvis-r_hip "
            "thorax-l_shoulder thorax-r_shoulder " + _LIMBS + _FEET,
        ),
        # What models learn by default: drawn like KeypointGAN's 16 edges plus a trunk.
        make_skeleton(
            "body18",
            "pelvis r_hip r_knee r_ankle r_toe l_hip l_knee l_ankle l_toe thorax head "
            "head_top l_shoulder l_elbow l_wrist r_shoulder r_elbow r_wrist",
            "pelvis-thorax thorax-head head-head_top pelvis-l_hip pelvis-r_hip "
            "thorax-l_shoulder thorax-r_shoulder " + _LIMBS + _FEET,
        ),
        make_skeleton(
            "body13",
            "head " + _LIMB_JOINTS,
            "head-l_shoulder+r_shoulder " + _TRUNK_WITHOUT_SPINE + " " + _LIMBS,
        ),
        make_skeleton("limbs12", _LIMB_JOINTS, _TRUNK_WITHOUT_SPINE + " " + _LIMBS),
        make_skeleton(
            "h36m17",
            "pelvis r_hip r_knee r_ankle l_hip l_knee l_ankle spine thorax head head_top "
            "l_shoulder l_elbow l_wrist r_shoulder r_elbow r_wrist",
            "pelvis-spine spine-thorax thorax-head head-head_top pelvis-l_hip pelvis-r_hip "
            "thorax-l_shoulder thorax-r_shoulder " + _LIMBS,
        ),
        # The 32 joints of Human3.6M with the 16 edges of KeypointGAN.
        make_skeleton(
            "h36m32",
            "root r_hip r_knee r_ankle r_ball r_toe l_hip l_knee l_ankle l_ball l_toe pelvis "
            "thorax neck head head_top l_unknown l_shoulder l_elbow l_wrist l_wrist_2 l_thumb "
            "l_little l_little_2 r_unknown r_shoulder r_elbow r_wrist r_wrist_2 r_thumb r_little "
            "r_little_2",
            "r_hip-pelvis r_knee-r_hip r_ankle-r_knee r_toe-r_ankle l_hip-pelvis l_knee-l_hip "
            "l_ankle-l_knee l_toe-l_ankle neck-pelvis head_top-neck l_shoulder-neck "
            "l_elbow-l_shoulder l_wrist-l_elbow r_shoulder-neck r_elbow-r_shoulder r_wrist-r_elbow",
        ),
        # Leeds Sports Pose: what most sets of pictures can give.
        make_skeleton(
            "lsp14",
            "r_ankle r_knee r_hip l_hip l_knee l_ankle r_wrist r_elbow r_shoulder l_shoulder "
            "l_elbow l_wrist neck head_top",
            "neck-head_top neck-l_hip+r_hip neck-l_shoulder neck-r_shoulder l_hip-r_hip " + _LIMBS,
        ),
        make_skeleton(
            "coco17",
            "nose l_eye r_eye l_ear r_ear l_shoulder r_shoulder l_elbow r_elbow l_wrist r_wrist "
            "l_hip r_hip l_knee r_knee l_ankle r_ankle",
            "nose-l_eye nose-r_eye l_eye-l_ear r_eye-r_ear nose-l_shoulder+r_shoulder "
            + _TRUNK_WITHOUT_SPINE
            + " "
            + _LIMBS,
        ),
    )
}

# Joints that other data sets name or lack, as means of joints they have.
_ALIASES: dict[str, tuple[str, ...]] = {
    "pelvis": ("l_hip", "r_hip"),
    "root": ("pelvis",),
    "thorax": ("l_shoulder", "r_shoulder"),
    "neck": ("thorax",),
    "spine": ("pelvis", "thorax"),
    "head_top": ("head",),
}


def get_skeleton(name: str) -> Skeleton:
    """A built-in skeleton; UserError with the nearest name where it is unknown."""
    return lookup("skeleton", name, SKELETONS)


def conversion_matrix(source: Skeleton, target: Skeleton, *, missing: str = "error") -> np.ndarray:
    """Weights (K_target, K_source) that turn source joints into target joints, by name.

    A target joint that the source lacks becomes the mean of joints that stand for it (the pelvis
    is the middle of the hips). ``missing="nan"`` gives a row of NaN where even that fails.

    Raises:
        UserError: a joint cannot be made from the source and ``missing`` is ``"error"``.
    """
    place = {joint: i for i, joint in enumerate(source.joints)}

    def row(joint: str, depth: int = 0) -> np.ndarray | None:
        if joint in place:
            return np.eye(len(place))[place[joint]]
        if depth > 3 or joint not in _ALIASES:
            return None
        parts = [row(part, depth + 1) for part in _ALIASES[joint]]
        return None if any(p is None for p in parts) else np.mean(parts, axis=0)  # type: ignore[arg-type]

    rows = [row(joint) for joint in target.joints]
    lost = [joint for joint, r in zip(target.joints, rows, strict=True) if r is None]
    if lost and missing == "error":
        raise UserError(
            f"skeleton '{source.name}' cannot give the joints {', '.join(lost)} of '{target.name}'"
        )
    empty = np.full(len(place), np.nan)
    return np.stack([empty if r is None else r for r in rows]).astype(np.float32)
