"""Cameras of a data set: read from labels, and turned to look at a window."""

from __future__ import annotations

import numpy as np


def fit_rotation(world: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """(3,3) the rotation that best turns points (N,3) of the world into those of the camera.

    Translation and scale are free (Kabsch), so that labels of either origin and unit will do.
    """
    a, b = world - world.mean(axis=0), camera - camera.mean(axis=0)
    u, _, vt = np.linalg.svd(b.T @ a)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    return (u * sign) @ vt


def fit_intrinsics(points: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """(4,) fx, fy, cx, cy in pixels that best project camera points (N,3) to ``points`` (N,2)."""
    depth = camera[:, 2]
    rows = []
    for axis in (0, 1):
        design = np.stack([camera[:, axis] / depth, np.ones_like(depth)], axis=-1)
        rows.append(np.linalg.lstsq(design, points[:, axis], rcond=None)[0])
    return np.array([rows[0][0], rows[1][0], rows[0][1], rows[1][1]])


def looking_at(
    rotation: np.ndarray, intrinsics: np.ndarray, window: tuple[float, float, float]
) -> np.ndarray:
    """(3,3) from the world to a camera turned so that its axis meets the window's centre.

    As for crops in Rhodin, Salzmann, Fua, "Unsupervised Geometry-Aware Representation for 3D Human
    Pose Estimation" (ECCV 2018): first about y, then about x, so that the horizon stays level.
    """
    fx, fy, cx, cy = (float(v) for v in intrinsics)
    x = (window[0] + window[2] / 2 - cx) / fx
    y = (window[1] + window[2] / 2 - cy) / fy
    about_y = np.arctan2(-x, 1.0)
    about_x = np.arctan2(y, np.hypot(x, 1.0))
    cos, sin = np.cos(about_y), np.sin(about_y)
    turn_y = np.array([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])
    cos, sin = np.cos(about_x), np.sin(about_x)
    turn_x = np.array([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]])
    return turn_x @ turn_y @ rotation
