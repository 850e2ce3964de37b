"""Distances between predicted and true joints, and their means."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

PERCENT = 100.0


def check_pair(
    predicted: ArrayLike, truth: ArrayLike, visible: ArrayLike | None = None, *, dims: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both as float64 with zeros where nothing is visible, and the mask.

    Args:
        predicted: (N,K,D), finite.
        truth: (N,K,D); values of joints that are not visible do not matter.
        visible: (N,K) bool, which joints count; None: all.
        dims: the D to insist on; 0 takes 2 and 3.

    Raises:
        ValueError: a shape, type or value that does not fit, by name.
    """
    predicted, truth = _numbers("predicted", predicted), _numbers("truth", truth)
    wanted = (2, 3) if dims == 0 else (dims,)
    if truth.ndim != 3 or truth.shape[2] not in wanted or truth.shape[1] == 0:
        names = " or ".join(f"(N,K,{d})" for d in wanted)
        raise ValueError(f"truth must be {names} with K > 0, got {truth.shape}")
    if predicted.shape != truth.shape:
        raise ValueError(
            f"predicted must have the shape of truth {truth.shape}, got {predicted.shape}"
        )
    if not np.isfinite(predicted).all():
        frame, joint = np.argwhere(~np.isfinite(predicted).all(axis=-1))[0]
        raise ValueError(
            f"predicted must be finite, got {predicted[frame, joint]} at frame {frame}, "
            f"joint {joint}"
        )
    mask = check_visible(visible, truth.shape[:2])
    lost = mask & ~np.isfinite(truth).all(axis=-1)
    if lost.any():
        frame, joint = np.argwhere(lost)[0]
        raise ValueError(
            f"truth must be finite where visible, got {truth[frame, joint]} at frame {frame}, "
            f"joint {joint}"
        )
    return predicted, np.where(mask[..., None], truth, 0.0), mask


def check_visible(visible: ArrayLike | None, shape: tuple[int, ...]) -> np.ndarray:
    """(N,K) bool; ValueError where it is anything else."""
    if visible is None:
        return np.ones(shape, bool)
    mask = np.asarray(visible)
    if mask.dtype != bool or mask.shape != shape:
        raise ValueError(f"visible must be bool {shape}, got {mask.dtype} {mask.shape}")
    return mask


def check_sizes(name: str, sizes: ArrayLike, frames: int) -> np.ndarray:
    """(N,) float64, positive or NaN where unknown; one number serves for all frames."""
    array = _numbers(name, sizes)
    if array.shape not in ((), (frames,)):
        raise ValueError(f"{name} must be a number or ({frames},), got {array.shape}")
    if (array <= 0).any() or np.isinf(array).any():
        raise ValueError(f"{name} must be positive, got {array[~(array > 0)].ravel()[:1]}")
    return np.broadcast_to(array, (frames,))


def _numbers(name: str, values: ArrayLike) -> np.ndarray:
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} must be an array of numbers, got {type(values).__name__}"
        ) from None


def joint_distances(
    predicted: ArrayLike, truth: ArrayLike, visible: ArrayLike | None = None
) -> np.ndarray:
    """Euclidean distance of each joint to its label.

    Args:
        predicted: (N,K,2 or 3) in any unit.
        truth: the same, in the same unit.
        visible: (N,K) bool; None: all.

    Returns:
        (N,K) float64 in that unit, NaN where the joint is not visible.
    """
    predicted, truth, mask = check_pair(predicted, truth, visible)
    return np.where(mask, np.linalg.norm(predicted - truth, axis=-1), np.nan)


def frame_means(values: np.ndarray) -> np.ndarray:
    """(N,K) values of joints to (N,) means of those that count; NaN where none does."""
    counted = ~np.isnan(values)
    number = counted.sum(axis=1)
    total = np.where(counted, values, 0.0).sum(axis=1)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def joint_means(values: np.ndarray) -> np.ndarray:
    """(N,K) values to (K,) means over the frames where each joint counts; NaN where none does."""
    return frame_means(values.T)


def mean_over_frames(values: np.ndarray) -> float:
    """Mean of (N,) values of frames; frames of NaN do not count, NaN where none does."""
    counted = ~np.isnan(values)
    return float(values[counted].mean()) if counted.any() else float("nan")


def mean_distance_percent(
    predicted: ArrayLike,
    truth: ArrayLike,
    side: ArrayLike,
    visible: ArrayLike | None = None,
) -> float:
    """Mean joint distance in percent of the picture's side.

    Tables call it "%-MSE normalised by image size", but nothing in it is squared: it is the mean
    over joints, then over frames, of the distance; see :func:`mean_squared_percent`.

    Source: evaluation of Jakab, Gupta, Bilen, Vedaldi, "Self-supervised learning of interpretable
    keypoints from unlabelled videos", CVPR 2020.

    Args:
        predicted: (N,K,2) pixels.
        truth: (N,K,2) pixels.
        side: side of the pictures in pixels, one number or (N,).
        visible: (N,K) bool; None: all.
    """
    distances = joint_distances(predicted, truth, visible)
    sides = check_sizes("side", side, len(distances))
    return mean_over_frames(frame_means(distances) / sides) * PERCENT


def mean_squared_percent(
    predicted: ArrayLike,
    truth: ArrayLike,
    side: ArrayLike,
    visible: ArrayLike | None = None,
) -> float:
    """Mean squared joint distance in percent of the picture's side squared.

    The true squared error, which is what "MSE" says: (dx^2 + dy^2) / side^2, averaged over joints,
    then over frames. An even 5 % of the side is 0.25 here. With ``side=10`` it is the squared error
    in the unit of the points, squared pixels.

    Args: as of :func:`mean_distance_percent`.
    """
    distances = joint_distances(predicted, truth, visible)
    sides = check_sizes("side", side, len(distances))
    return mean_over_frames(frame_means(distances**2) / sides**2) * PERCENT
