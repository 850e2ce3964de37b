"""Shares of joints that are near enough: PCK, PCKh, PDJ, 3D-PCK, their curves and areas.

They are one formula, ``100 mean(distance <= threshold * size)`` over all visible joints of all
frames, and differ in the size of a frame's person:

========  ===========================  ============================================================
PCK       ``box_sizes``, longer side   Yang, Ramanan, "Articulated human detection with flexible
                                       mixtures of parts", PAMI 2013
PDJ       ``torso_sizes``              Sapp, Taskar, "MODEC", CVPR 2013; Toshev, Szegedy,
                                       "DeepPose", CVPR 2014
PCKh      ``head_sizes``               Andriluka et al., "2D human pose estimation: new benchmark
                                       and state of the art analysis", CVPR 2014
3D-PCK    1, in metres; 0.15           Mehta et al., "Monocular 3D human pose estimation in the wild
                                       using improved CNN supervision", 3DV 2017
========  ===========================  ============================================================
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from fastpose.evaluation.metrics.distances import (
    PERCENT,
    check_pair,
    check_sizes,
    check_visible,
    mean_over_frames,
)
from fastpose.skeletons import Skeleton

# 31 thresholds, 0 to 150 mm in steps of 5: the area under the curve of 3D-PCK is their mean.
THRESHOLDS_3D = tuple(i * 0.005 for i in range(31))
THRESHOLD_3D = 0.15


def correct_joints(distances: ArrayLike, sizes: ArrayLike, threshold: float) -> np.ndarray:
    """Which joints are correct.

    Args:
        distances: (N,K), as of ``joint_distances``, NaN where a joint does not count.
        sizes: one number or (N,), in the same unit; NaN where the size of a frame is unknown.
        threshold: in sizes, at least 0.

    Returns:
        (N,K) float64, 0 or 100; NaN where the distance or the size is NaN.
    """
    apart, limits = _checked(distances, sizes)
    return _correct(apart, limits, threshold)


def detection_curve(distances: ArrayLike, sizes: ArrayLike, thresholds: ArrayLike) -> np.ndarray:
    """(T,) percent of the joints that are correct, over all frames and joints alike.

    Args:
        distances: (N,K), as of :func:`correct_joints`.
        sizes: one number or (N,), as of :func:`correct_joints`.
        thresholds: (T,) in sizes, at least 0.

    Returns:
        (T,) float64, NaN where no joint counts.
    """
    apart, size = _checked(distances, sizes)
    steps = np.asarray(thresholds, np.float64)
    if steps.ndim != 1 or not len(steps):
        raise ValueError(f"thresholds must be (T,) with T > 0, got {thresholds!r}")
    return np.array([mean_over_frames(_correct(apart, size, step).ravel()) for step in steps])


def correct_on_average(distances: ArrayLike, sizes: ArrayLike, thresholds: ArrayLike) -> np.ndarray:
    """(N,K) mean of :func:`correct_joints` over the thresholds: each joint's area under the curve.

    Arguments as of :func:`detection_curve`.
    """
    apart, size = _checked(distances, sizes)
    steps = np.asarray(thresholds, np.float64)
    if steps.ndim != 1 or not len(steps):
        raise ValueError(f"thresholds must be (T,) with T > 0, got {thresholds!r}")
    total = np.zeros(apart.shape)
    for step in steps:
        total += _correct(apart, size, step)
    return total / len(steps)


def _checked(distances: ArrayLike, sizes: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    apart = np.asarray(distances, np.float64)
    if apart.ndim != 2 or (apart < 0).any():
        raise ValueError(f"distances must be (N,K) and at least 0, got shape {apart.shape}")
    return apart, check_sizes("sizes", sizes, len(apart))[:, None]


def _correct(apart: np.ndarray, size: np.ndarray, threshold: float) -> np.ndarray:
    if not threshold >= 0:
        raise ValueError(f"thresholds must be at least 0, got {threshold!r}")
    # A billionth of the size absorbs the rounding of distances that equal their limit, 0 included.
    limit = (threshold + 1e-9) * size
    with np.errstate(invalid="ignore"):
        correct = PERCENT * (apart <= limit)
    return np.where(np.isnan(apart) | np.isnan(limit), np.nan, correct)


def area_under_curve(shares: ArrayLike) -> float:
    """Mean of a curve (T,) of shares at evenly spaced thresholds, in the shares' unit.

    Source: the evaluation of MPI-INF-3DHP (Mehta et al., 3DV 2017), which takes the mean over its
    thresholds, the first included.
    """
    curve = np.asarray(shares, np.float64)
    if curve.ndim != 1 or not len(curve):
        raise ValueError(f"shares must be (T,) with T > 0, got {curve.shape}")
    return float(curve.mean())


def torso_sizes(
    truth: ArrayLike, skeleton: Skeleton, visible: ArrayLike | None = None
) -> np.ndarray:
    """(N,) distance from the left shoulder to the right hip; NaN unless both are visible.

    Args:
        truth: (N,K,2 or 3).
        skeleton: names the K joints; UserError where it lacks one of the two.
        visible: (N,K) bool; None: all.
    """
    ends = [skeleton.index("l_shoulder"), skeleton.index("r_hip")]
    points = np.asarray(truth, np.float64)
    seen = check_visible(visible, points.shape[:2])
    length = np.asarray(np.linalg.norm(points[:, ends[0]] - points[:, ends[1]], axis=-1))
    return np.where(seen[:, ends[0]] & seen[:, ends[1]] & (length > 0), length, np.nan)


def box_sizes(
    truth: ArrayLike,
    visible: ArrayLike | None = None,
    *,
    measure: Literal["longer", "diagonal"] = "longer",
) -> np.ndarray:
    """(N,) longer side or diagonal of the box around the visible joints; NaN where it is empty.

    Args:
        truth: (N,K,2) pixels.
        visible: (N,K) bool; None: all.
        measure: "longer" (Yang and Ramanan's PCK) or "diagonal".
    """
    if measure not in ("longer", "diagonal"):
        raise ValueError(f"measure must be longer or diagonal, got {measure!r}")
    points = np.asarray(truth, np.float64)
    _, points, mask = check_pair(np.zeros(points.shape), points, visible)
    low = np.where(mask[..., None], points, np.inf).min(axis=1)
    high = np.where(mask[..., None], points, -np.inf).max(axis=1)
    extent = np.where(mask.any(axis=1, keepdims=True), high - low, 0.0)
    size = extent.max(axis=1) if measure == "longer" else np.linalg.norm(extent, axis=1)
    return np.where(size > 0, size, np.nan)


def head_sizes(boxes: ArrayLike) -> np.ndarray:
    """(N,) 0.6 times the diagonal of the head's box, the length that PCKh counts in.

    Args:
        boxes: (N,4) pixels: left, top, right, bottom of the labelled head.
    """
    corners = np.asarray(boxes, np.float64)
    if corners.ndim != 2 or corners.shape[1] != 4:
        raise ValueError(f"boxes must be (N,4), got {corners.shape}")
    size = 0.6 * np.linalg.norm(corners[:, 2:] - corners[:, :2], axis=1)
    return np.where(size > 0, size, np.nan)


def even_thresholds(last: float, steps: int) -> tuple[float, ...]:
    """0 to ``last`` in ``steps`` equal steps: steps + 1 thresholds."""
    return tuple(last * i / steps for i in range(steps + 1))
