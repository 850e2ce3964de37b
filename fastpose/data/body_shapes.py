"""Silhouettes of mocap19 poses at low resolution: every limb a capsule of its usual thickness."""

from __future__ import annotations

import numpy as np

from fastpose.skeletons import get_skeleton

# Capsules between joints with their radius in body heights (a slim adult; assumed). The last
# number lengthens the capsule beyond its second joint, for the hands.
_CAPSULES: tuple[tuple[str, str, float, float], ...] = (
    ("pelvis", "thorax", 0.070, 0.0),
    ("l_shoulder", "l_hip", 0.050, 0.0),
    ("r_shoulder", "r_hip", 0.050, 0.0),
    ("l_shoulder", "r_shoulder", 0.042, 0.0),
    ("l_hip", "r_hip", 0.055, 0.0),
    ("thorax", "head", 0.040, 0.0),
    ("head", "head_top", 0.052, -0.25),
    ("l_shoulder", "l_elbow", 0.036, 0.0),
    ("r_shoulder", "r_elbow", 0.036, 0.0),
    ("l_elbow", "l_wrist", 0.028, 0.35),
    ("r_elbow", "r_wrist", 0.028, 0.35),
    ("l_hip", "l_knee", 0.050, 0.0),
    ("r_hip", "r_knee", 0.050, 0.0),
    ("l_knee", "l_ankle", 0.038, 0.0),
    ("r_knee", "r_ankle", 0.038, 0.0),
    ("l_ankle", "l_toe", 0.028, 0.2),
    ("r_ankle", "r_toe", 0.028, 0.2),
)
_JOINTS = get_skeleton("mocap19").joints
_FIRST = [_JOINTS.index(c[0]) for c in _CAPSULES]
_SECOND = [_JOINTS.index(c[1]) for c in _CAPSULES]
_RADIUS = np.array([c[2] for c in _CAPSULES], np.float32)
_BEYOND = np.array([c[3] for c in _CAPSULES], np.float32)

CANVAS = 40  # cells a side
EXTENT = (-0.7, -1.3, 1.4)  # left, top and side of the canvas in body heights, ground at 0, y down


def draw_bodies(
    points: np.ndarray,
    cover: float = 0.0,
    *,
    height: float | np.ndarray = 1.0,
    extent: tuple[float, float, float] = EXTENT,
    cells: int = CANVAS,
    chunk: int = 256,
) -> np.ndarray:
    """Silhouettes of projected poses.

    Args:
        points: (n,19,2) in body heights as ``camera.project`` gives them, or in any unit.
        cover: added to every limb's radius, in body heights: clothes, and the width of blur.
        height: of the body in the unit of the points; (n,) where it differs.
        extent: left, top and side of the square to draw, in the unit of the points.
        cells: of the square along a side.
        chunk: poses drawn at a time.

    Returns:
        (n,cells,cells) uint8, 0..255.
    """
    left, top, side = extent
    cell = side / cells
    x = (left + cell * (np.arange(cells, dtype=np.float32) + 0.5))[None, None]
    y = (top + cell * (np.arange(cells, dtype=np.float32) + 0.5))[None, :, None]
    unit = np.broadcast_to(np.asarray(height, np.float32), len(points))[:, None, None]
    out = np.empty((len(points), cells, cells), np.uint8)
    for at in range(0, len(points), chunk):
        p = points[at : at + chunk].astype(np.float32)
        inside = np.full((len(p), cells, cells), -np.inf, np.float32)
        for first, second, radius, beyond in zip(_FIRST, _SECOND, _RADIUS, _BEYOND, strict=True):
            start = p[:, first]
            end = p[:, second] + beyond * (p[:, second] - start)
            away = _distance(start, end, x, y)
            inside = np.maximum(inside, (radius + cover) * unit[at : at + chunk] - away)
        out[at : at + chunk] = np.clip(inside * (255.0 / cell) + 127.5, 0.0, 255.0)
    return out


def _distance(a: np.ndarray, b: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(n,h,w) distance of each cell to the segments a-b (n,2)."""
    ax, ay = a[:, 0, None, None], a[:, 1, None, None]
    dx, dy = b[:, 0, None, None] - ax, b[:, 1, None, None] - ay
    # The product splits into a row and a column part: only sums run over the whole canvas.
    inverse = 1.0 / np.maximum(dx * dx + dy * dy, 1e-8)
    t = np.clip((x - ax) * dx * inverse + (y - ay) * dy * inverse, 0.0, 1.0)
    return np.sqrt((x - ax - t * dx) ** 2 + (y - ay - t * dy) ** 2)


def crop_matrix(size: int, scale: float, origin: float, start: float) -> np.ndarray:
    """(size, CANVAS) weights that resample one axis of the canvas to a crop's cells.

    Args:
        size: cells of the crop along this axis.
        scale: crop sides per body height.
        origin: where 0 body heights is, in crop sides.
        start: first body height of the canvas along this axis.
    """
    cell = EXTENT[2] / CANVAS
    lower = ((np.arange(size) / size - origin) / scale - start) / cell
    upper = lower + 1.0 / (size * scale * cell)
    at = np.arange(CANVAS)
    overlap = np.minimum(upper[:, None], at + 1.0) - np.maximum(lower[:, None], at)
    return (np.maximum(overlap, 0.0) / (upper - lower)[:, None]).astype(np.float32)
