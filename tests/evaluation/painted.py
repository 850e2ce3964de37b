"""Clips whose pixels say which frame they are, and predictors and priors with known answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from fastpose.data.clips import ClipStore, ClipWriter
from fastpose.data.pose_prior import PosePrior
from fastpose.poses import Poses
from fastpose.skeletons import Skeleton, make_skeleton

SIZE = 101
SKELETON = make_skeleton("blobs", "head r_wrist l_wrist", "head-r_wrist head-l_wrist")
POSE = np.array([[50, 10], [20, 50], [80, 50]], np.float32)
MIRRORED = POSE[[0, 2, 1]]


def numbered(first: int, count: int, size: int = SIZE) -> np.ndarray:
    """``count`` frames of one value each: ``first``, ``first`` + 1, ..."""
    values = np.arange(first, first + count, dtype=np.uint8)
    return np.broadcast_to(values[:, None, None, None], (count, size, size, 3))


def write_clips(folder: Path, clips: Sequence[dict[str, Any]], size: int = SIZE) -> ClipStore:
    """A clips folder; each clip names its ``frames`` (a number) and any argument of the writer."""
    labelled = any("keypoints" in clip for clip in clips)
    first = 0
    with ClipWriter(folder, size, skeleton=SKELETON if labelled else None) as writer:
        for at, clip in enumerate(clips):
            count = clip["frames"]
            rest = {key: value for key, value in clip.items() if key != "frames"}
            writer.add(f"clip{at}", numbered(first, count, size), fps=10.0, **rest)
            first += count
    return ClipStore.open(folder)


class Answers:
    """Predicts ``points[number of the frame]``, and remembers which frames it was shown."""

    def __init__(self, points: np.ndarray) -> None:
        self.points, self.batches = points, cast(list[list[int]], [])

    def __call__(self, frames: np.ndarray) -> Poses:
        numbers = frames[:, 0, 0, 0].astype(int)
        self.batches.append(numbers.tolist())
        points = self.points[numbers]
        return Poses(points, np.ones(points.shape[:2], np.float32), SKELETON)


class _FixedPrior:
    """The mean pose is one point in the middle of the frame, every random pose is ``POSE``."""

    skeleton: Skeleton = SKELETON

    def mean_pose(self) -> np.ndarray:
        return np.zeros((3, 2), np.float32)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return np.repeat(POSE[None] * (2 / (SIZE - 1)) - 1, n, axis=0)


def fixed_prior() -> PosePrior:
    return cast(PosePrior, _FixedPrior())
