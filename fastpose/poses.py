"""What a detector returns, whatever runs it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastpose.skeletons import Skeleton


@dataclass(frozen=True)
class Poses:
    """One pose for each of B pictures.

    Attributes:
        points: float32 (B, K, 2), x before y, pixels of the picture that came in, centres at
            integers; joints may lie outside the picture.
        confidence: float32 (B, K) in [0, 1].
        skeleton: names, limbs and sides of the K joints.
    """

    points: np.ndarray
    confidence: np.ndarray
    skeleton: Skeleton

    def __len__(self) -> int:
        return len(self.points)

    def by_name(self) -> list[dict[str, tuple[float, float, float]]]:
        """For each picture: joint name -> (x, y, confidence)."""
        rows = np.concatenate((self.points, self.confidence[..., None]), axis=-1).tolist()
        return [
            {joint: tuple(row) for joint, row in zip(self.skeleton.joints, pose, strict=True)}
            for pose in rows
        ]
