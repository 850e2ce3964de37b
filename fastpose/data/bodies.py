"""2D joints with what they are in space: what lifting learns from and is scored on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fastpose.data.clips import ClipStore
from fastpose.data.pose_prior import PosePrior
from fastpose.errors import UserError
from fastpose.skeletons import Skeleton, conversion_matrix

ROOT = "pelvis"
STATURE = 1.7  # metres that a body height counts (assumed: motion capture is kept in body heights)
_CHUNK = 64  # pictures that a detector is shown at a time

# Pictures (n,S,S,3) uint8 to joints (n,J,2) in their pixels.
Detect = Callable[[np.ndarray], np.ndarray]


class MotionBodies:
    """Draws poses of a prior through its cameras, with their positions in metres."""

    def __init__(self, prior: PosePrior) -> None:
        self._prior = prior

    def sample(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Points (n,K,2), normalised, and positions (n,K,3), metres from the pelvis."""
        points, positions = self._prior.sample_bodies(n, rng)
        return points, positions * np.float32(STATURE)


@dataclass(frozen=True)
class ClipBodies:
    """Frames with known joints in space.

    Args:
        points: (N,K,2) float32, normalised by the frame's side.
        positions: (N,K,3) float32, metres from the pelvis, x right, y down, z forward.
        clip: (N,) the clip that each frame is from.
        frame: (N,) its index in there.
    """

    points: np.ndarray
    positions: np.ndarray
    clip: np.ndarray
    frame: np.ndarray

    def __len__(self) -> int:
        return len(self.points)

    def sample(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """``n`` of them, each as likely."""
        rows = rng.integers(0, len(self.points), n)
        return self.points[rows], self.positions[rows]


def read_bodies(
    store: ClipStore,
    skeleton: Skeleton,
    *,
    detect: Detect | None = None,
    detected: Skeleton | None = None,
) -> ClipBodies:
    """The frames of clips that carry joints in space.

    Args:
        store: such clips.
        skeleton: the joints to give.
        detect: where 2D joints come from instead of the clips' own.
        detected: the joints that ``detect`` gives.

    Raises:
        UserError: no clip has joints in space, or joints that ``skeleton`` needs are missing.
    """
    known = store.skeleton
    clips = [(i, c) for i, c in enumerate(store.clips) if c.keypoints3d is not None]
    if known is None or not clips:
        raise UserError(
            f"{store.path}: its clips have no joints in space (keypoints3d); synthesize such "
            "clips, or learn from motion capture alone"
        )
    to_truth = conversion_matrix(known, skeleton)
    to_points = conversion_matrix(detected or known, skeleton)
    root = skeleton.index(ROOT)
    points, positions, index, frames = [], [], [], []
    for number, clip in clips:
        if detect is None:
            pixels = np.asarray(clip.keypoints)
        else:
            starts = range(0, len(clip), _CHUNK)
            pixels = np.concatenate([detect(clip.frames[a : a + _CHUNK]) for a in starts])
        there = to_truth @ np.asarray(clip.keypoints3d)
        seen = to_points @ pixels
        whole = np.isfinite(there).all(axis=(1, 2)) & np.isfinite(seen).all(axis=(1, 2))
        points.append((2.0 * seen / (store.size - 1) - 1.0)[whole])
        positions.append((there - there[:, root : root + 1])[whole])
        index.append(np.full(int(whole.sum()), number))
        frames.append(np.flatnonzero(whole))
    bodies = ClipBodies(
        np.concatenate(points).astype(np.float32),
        np.concatenate(positions).astype(np.float32),
        np.concatenate(index),
        np.concatenate(frames),
    )
    if len(bodies) == 0:
        raise UserError(f"{store.path}: no frame has all its joints")
    return bodies
