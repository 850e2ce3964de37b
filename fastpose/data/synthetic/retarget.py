"""Recorded motion given to a body of other proportions."""

from __future__ import annotations

import numpy as np

from fastpose.data.motion_capture import PARENTS
from fastpose.data.synthetic.body import JOINT, Body, joint_distances

_LEGS = tuple(JOINT[f"{side}_{joint}"] for side in "lr" for joint in ("knee", "ankle"))
_NO_LENGTH = 1e-6  # metres; a shorter bone has no direction


def retarget(positions: np.ndarray, body: Body) -> np.ndarray:
    """The same motion made by ``body``.

    Every bone keeps its recorded direction and gets the body's length. The path of the pelvis is
    scaled by the length of the legs, so that strides fit them, and in every frame the lowest joint,
    mostly a foot, is as far above the recording's lowest as recorded, scaled likewise.

    Args:
        positions: (T,19,3) joints of ``mocap19``, metres, y up.
        body: who makes the motion.

    Returns:
        (T,19,3) joints, the lowest at the recording's lowest height.
    """
    distances = joint_distances(body)
    steps = positions[:, 1:] - positions[:, PARENTS[1:]]
    recorded = np.linalg.norm(steps, axis=-1)
    legs = [joint - 1 for joint in _LEGS]
    ratio = distances[legs].sum() / max(float(recorded[:, legs].mean(axis=0).sum()), _NO_LENGTH)
    out, direction = np.empty_like(positions), np.empty_like(positions)
    out[:, 0] = ratio * positions[:, 0]
    direction[:, 0] = (0.0, 1.0, 0.0)
    for bone, parent in enumerate(PARENTS[1:]):
        known = recorded[:, bone, None] > _NO_LENGTH
        along = steps[:, bone] / np.where(known, recorded[:, bone, None], 1.0)
        direction[:, bone + 1] = np.where(known, along, direction[:, parent])
        out[:, bone + 1] = out[:, parent] + distances[bone] * direction[:, bone + 1]
    lowest = positions[..., 1].min(axis=1)
    ground = lowest.min()
    out[..., 1] += (ground + ratio * (lowest - ground) - out[..., 1].min(axis=1))[:, None]
    return out
