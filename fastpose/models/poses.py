"""What a detector returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastpose.skeletons import Skeleton


@dataclass(frozen=True)
class Poses:
    """Poses of B pictures.

    Args:
        points: (B, K, 2) float32, pixels (x, y) of the picture that came in.
        confidence: (B, K) float32 in [0, 1].
        skeleton: the K joints.
    """

    points: np.ndarray
    confidence: np.ndarray
    skeleton: Skeleton
