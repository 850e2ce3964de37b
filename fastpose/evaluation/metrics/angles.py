"""Angles: between predicted and true rotations, and how far joints are bent."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import ArrayLike

from fastpose.evaluation.metrics.distances import check_pair, check_visible
from fastpose.skeletons import Skeleton

Bend = tuple[str, str, str]
# Elbows and knees: the joint in the middle is bent by the angle between its two bones.
BENDS: tuple[Bend, ...] = tuple(
    (f"{side}_{a}", f"{side}_{b}", f"{side}_{c}")
    for a, b, c in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
    for side in ("l", "r")
)


def rotation_angles(
    predicted: ArrayLike, truth: ArrayLike, visible: ArrayLike | None = None
) -> np.ndarray:
    """The angle of the one rotation that takes each prediction to its label: geodesic distance.

    Source: Huynh, "Metrics for 3D rotations: comparison and analysis", 2009, section 3.6.

    Args:
        predicted: (N,K,3,3) rotation matrices.
        truth: (N,K,3,3) rotation matrices.
        visible: (N,K) bool; None: all.

    Returns:
        (N,K) float64 degrees in [0, 180]; NaN where not visible.

    Raises:
        ValueError: shapes that do not fit, or a visible matrix that is no rotation.
    """
    predicted, truth = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    if truth.ndim != 4 or truth.shape[2:] != (3, 3):
        raise ValueError(f"truth must be (N,K,3,3), got {truth.shape}")
    if predicted.shape != truth.shape:
        raise ValueError(
            f"predicted must have the shape of truth {truth.shape}, got {predicted.shape}"
        )
    mask = check_visible(visible, truth.shape[:2])
    for name, matrices in (("predicted", predicted), ("truth", truth)):
        square = matrices @ np.swapaxes(matrices, -1, -2)
        with np.errstate(invalid="ignore"):
            proper = np.asarray(np.abs(square - np.eye(3)).max(axis=(-1, -2)) < 1e-3)
            proper &= np.linalg.det(np.where(mask[..., None, None], matrices, 0.0)) > 0
        if (mask & ~proper).any():
            frame, joint = np.argwhere(mask & ~proper)[0]
            raise ValueError(f"{name} must hold rotation matrices, got another at {frame, joint}")
    between = predicted @ np.swapaxes(np.where(mask[..., None, None], truth, np.eye(3)), -1, -2)
    # The sine and the cosine together: the cosine alone loses half of the digits near 0 and 180.
    skew = between - np.swapaxes(between, -1, -2)
    sine = np.sqrt(skew[..., 0, 1] ** 2 + skew[..., 0, 2] ** 2 + skew[..., 1, 2] ** 2)
    angle = np.degrees(np.arctan2(sine, np.trace(between, axis1=-2, axis2=-1) - 1.0))
    return np.where(mask, angle, np.nan)


def known_bends(joints: Collection[str], bends: Sequence[Bend] = BENDS) -> tuple[Bend, ...]:
    """Those of ``bends`` whose three joints are all among ``joints``."""
    return tuple(bend for bend in bends if set(bend) <= set(joints))


def bend_angles(points: ArrayLike, skeleton: Skeleton, bends: Sequence[Bend] = BENDS) -> np.ndarray:
    """How far joints are bent.

    Args:
        points: (N,K,2 or 3) in any unit.
        skeleton: names the K joints.
        bends: A triples of joints; the angle is at the second.

    Returns:
        (N,A) degrees in [0, 180], 180 when stretched; NaN where two of the joints coincide.
    """
    places = np.asarray(points, np.float64)
    if places.ndim != 3 or places.shape[1] != len(skeleton.joints):
        raise ValueError(f"points must be (N,{len(skeleton.joints)},2 or 3), got {places.shape}")
    first, middle, last = (
        places[:, [skeleton.index(bend[end]) for bend in bends]] for end in range(3)
    )
    a, b = first - middle, last - middle
    length_a, length_b = np.linalg.norm(a, axis=-1), np.linalg.norm(b, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        a, b = a / length_a[..., None], b / length_b[..., None]
        # Kahan's form: exact at 0 and 180 degrees, where the arc cosine is not.
        halves = np.linalg.norm(a - b, axis=-1), np.linalg.norm(a + b, axis=-1)
        return np.where(
            (length_a > 0) & (length_b > 0), np.degrees(2 * np.arctan2(*halves)), np.nan
        )


def bend_errors(
    predicted: ArrayLike,
    truth: ArrayLike,
    skeleton: Skeleton,
    visible: ArrayLike | None = None,
    bends: Sequence[Bend] = BENDS,
) -> np.ndarray:
    """(N,A) absolute difference in degrees between predicted and true :func:`bend_angles`.

    NaN where one of the three joints is not visible, or no angle is there. In pictures the angle is
    that of the drawn bones, not of the body's.
    """
    predicted, truth, mask = check_pair(predicted, truth, visible)
    joints = np.array([[skeleton.index(joint) for joint in bend] for bend in bends])
    seen = mask[:, joints].all(axis=-1)
    apart = np.abs(bend_angles(predicted, skeleton, bends) - bend_angles(truth, skeleton, bends))
    return np.where(seen, apart, np.nan)
