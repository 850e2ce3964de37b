"""2D poses without pictures, read from label files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fastpose.data.motion_capture.npz import load_arrays
from fastpose.errors import UserError
from fastpose.skeletons import Skeleton


@dataclass(frozen=True)
class PointBank:
    """N 2D poses: points (N,K,2), longer box side 1, box centred at 0; weights (N,) sum to one."""

    points: np.ndarray
    weights: np.ndarray
    skeleton: Skeleton


def read_points(path: str | os.PathLike[str]) -> PointBank | None:
    """The 2D poses of an npz: ``keypoints`` (N,K,2), ``joint_names`` (K,), optional ``visible``.

    Poses with an unseen joint are left out. None where the file holds no ``keypoints``.
    """
    path = Path(path)
    if path.suffix.lower() != ".npz" or not path.is_file():
        return None
    data = load_arrays(path)
    if "keypoints" not in data:
        return None
    if "joint_names" not in data:
        raise UserError(f"{path}: 'keypoints' needs 'joint_names' (K,) beside it")
    names = [str(n) for n in data["joint_names"]]
    points = np.asarray(data["keypoints"], np.float32)
    if points.ndim != 3 or points.shape[1] != len(names) or points.shape[2] not in (2, 3):
        raise UserError(
            f"{path}: keypoints must be (N,{len(names)},2) for its joint names, not {points.shape}"
        )
    visible = data.get("visible")
    seen = np.ones(points.shape[:2], bool) if visible is None else np.asarray(visible, bool)
    if seen.shape != points.shape[:2]:
        raise UserError(f"{path}: visible must be {points.shape[:2]}, not {seen.shape}")
    if points.shape[2] == 3:  # the third column is a score
        seen = seen & (points[..., 2] > 0.4)
    complete = seen.all(axis=1)
    if not complete.any():
        raise UserError(f"{path}: every pose has an unseen joint; give poses with all joints seen")
    return make_point_bank(points[complete, :, :2], named_joints(names, path), str(path))


def named_joints(names: list[str], path: str | os.PathLike[str]) -> Skeleton:
    """A skeleton without limbs for the joints of a label file (``left_hand`` reads ``l_hand``)."""
    short = [n.replace("left_", "l_").replace("right_", "r_") for n in names]
    other = {"l_": "r_", "r_": "l_"}
    opposite = [other.get(n[:2], n[:2]) + n[2:] for n in short]
    lost = [o for o in opposite if o not in short]
    if lost or len(set(short)) != len(short):
        raise UserError(
            f"{path}: joint names must be unique and in pairs; {', '.join(lost)} missing"
        )
    mirror = tuple(short.index(o) for o in opposite)
    return Skeleton(Path(path).stem, tuple(short), (), mirror, ())


def make_point_bank(points: np.ndarray, skeleton: Skeleton, name: str) -> PointBank:
    """Scale and centre each of ``points`` (N,K,2); UserError on NaN, on none, on wrong shapes."""
    points = np.asarray(points, np.float32)
    joints = len(skeleton.joints)
    if points.ndim != 3 or points.shape[1:] != (joints, 2) or not len(points):
        raise UserError(f"{name}: points must be (N>0,{joints},2), not {points.shape}")
    bad = ~np.isfinite(points).all(axis=(1, 2))
    if bad.any():
        raise UserError(f"{name}: pose {int(np.argmax(bad))} holds NaN; leave such poses out")
    low, high = points.min(axis=1, keepdims=True), points.max(axis=1, keepdims=True)
    size = (high - low).max(axis=-1, keepdims=True)
    good = size[:, 0, 0] > 0
    if not good.any():
        raise UserError(f"{name}: all joints of every pose lie on one point")
    centred = ((points - 0.5 * (low + high)) / np.where(size > 0, size, 1.0))[good]
    return PointBank(centred, np.full(len(centred), 1.0 / len(centred)), skeleton)
