"""Where a pose lies in the crop: from body heights to normalised points."""

from __future__ import annotations

import numpy as np


def mirror_bodies(points: np.ndarray, chosen: np.ndarray, mirror: list[int]) -> np.ndarray:
    """Reflect the ``chosen`` (n,) of ``points`` (n,K,D) from left to right, sides exchanged."""
    flipped = points[:, mirror] * np.array([-1.0] + [1.0] * (points.shape[-1] - 1), points.dtype)
    return np.where(chosen[:, None, None], flipped, points)


def frame_points(
    points: np.ndarray, height: np.ndarray, ground: np.ndarray, centre: np.ndarray
) -> np.ndarray:
    """Place points (n,K,2) given in body heights (y = 0 on the ground, x = 0 at the pelvis).

    Args:
        height: (n,) one body height as a share of the crop's side.
        ground: (n,) where the ground is from the top (0) to the bottom (1) of the crop, or below.
        centre: (n,) where x = 0 is from left (0) to right (1).

    Returns:
        (n,K,2) normalised.
    """
    scale = 2.0 * height[:, None, None]
    origin = 2.0 * np.stack([centre, ground], axis=-1) - 1.0
    return points * scale + origin[:, None]


def frame_boxes(
    points: np.ndarray, longer: np.ndarray, centre_x: np.ndarray, centre_y: np.ndarray
) -> np.ndarray:
    """Place each pose so that its box's longer side is ``longer`` shares of the crop's side."""
    low, high = points.min(axis=1), points.max(axis=1)
    size = np.maximum((high - low).max(axis=-1), 1e-6)
    scale = (2.0 * longer / size)[:, None, None]
    origin = 2.0 * np.stack([centre_x, centre_y], axis=-1) - 1.0
    return (points - 0.5 * (low + high)[:, None]) * scale + origin[:, None]
