"""Which joint of a motion-capture file is which of mocap19, by the names that files give them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastpose.data.motion_capture.motion import JOINTS
from fastpose.errors import UserError

# For each joint on a side the names that stand for it, best first. A file with both "LeftArm" and
# "LeftShoulder" means the collar bone by the latter; one with "LeftCollar" means the shoulder.
_SIDED: dict[str, tuple[str, ...]] = {
    "hip": ("upleg", "thigh", "upperleg", "hip"),
    "knee": ("leg", "shin", "lowerleg", "knee", "calf"),
    "ankle": ("ankle", "foot"),
    "toe": ("toebase", "toes", "toe"),
    "shoulder": ("arm", "shldr", "upperarm", "shoulder"),
    "elbow": ("forearm", "lowerarm", "elbow"),
    "wrist": ("wrist", "hand"),
}
_NECK, _HEAD = ("neck",), ("head",)
_MIDDLE_NAMES = "neck, head"


def split_side(name: str) -> tuple[str, str]:
    """A joint's side (``l``, ``r`` or empty) and the rest of its name in small letters.

    Knows ``LeftArm``, ``l_arm``, ``arm_L``, ``lArm`` and ``LArm``, each with a prefix before a
    colon.
    """
    plain = name.rsplit(":", 1)[-1].strip()
    low = plain.lower()
    for side, word in (("l", "left"), ("r", "right")):
        if low.startswith(word):
            return side, low[len(word) :].strip("_. ")
        if low.endswith((f"_{side}", f".{side}")):
            return side, low[:-2]
        if low.startswith((f"{side}_", f"{side}.")):
            return side, low[2:]
        if len(plain) > 1 and low[0] == side and plain[1].isupper():
            return side, low[1:]
    return "", low


def place_joints(names: Sequence[str], file: str) -> dict[str, int]:
    """Index in ``names`` of each joint of mocap19 that a name stands for.

    Pelvis, spine, toes and the top of the head may be missing: see ``bvh``. The neck is called
    ``thorax`` and the head joint ``head``, as in mocap19.

    Raises:
        UserError: a limb's joint, the neck or the head has no name that is known.
    """
    found: dict[str, int] = {}
    split = [split_side(name) for name in names]
    for side in "lr":
        for joint, parts in _SIDED.items():
            for part in parts:
                if (side, part) in split:
                    found[f"{side}_{joint}"] = split.index((side, part))
                    break
    for joint, parts in (("thorax", _NECK), ("head", _HEAD)):
        for part in parts:
            if ("", part) in split:
                found[joint] = split.index(("", part))
                break
    optional = {"pelvis", "spine", "head_top", "l_toe", "r_toe"}
    lost = [j for j in JOINTS if j not in found and j not in optional]
    if lost:
        expected = "; ".join(
            f"{j}: {', '.join(_SIDED.get(j[2:], (_MIDDLE_NAMES,)))}" for j in lost[:3]
        )
        raise UserError(
            f"{file}: no joint is named for {', '.join(lost)} (expected a name like {expected}); "
            f"it has {', '.join(names[:30])}"
        )
    return found


def nearest_on_chain(
    parents: Sequence[int], positions: np.ndarray, low: np.ndarray, high: int
) -> int | None:
    """The joint between the root and joint ``high`` that is nearest to the middle of the trunk.

    Args:
        parents: for each joint its parent, -1 for the root.
        positions: (N,J,3) of all joints.
        low: (N,3) the pelvis.
        high: the neck.

    Returns:
        its index, or None where no joint lies between.
    """
    middle = 0.5 * (low + positions[:, high])
    chain, at = [], parents[high]
    while at >= 0 and parents[at] >= 0:
        chain.append(at)
        at = parents[at]
    if not chain:
        return None
    away = np.median(np.linalg.norm(positions[:, chain] - middle[:, None], axis=-1), axis=0)
    return chain[int(np.argmin(away))]
