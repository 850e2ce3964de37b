"""One frame on its way from the decoder to the outputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Window = tuple[float, float, float]


@dataclass(frozen=True)
class FramePose:
    """What became of one frame of a video, or of one picture of a folder.

    Attributes:
        source: file the frame comes from.
        index: number of the frame, from 0.
        time: seconds from the start of the video; None for pictures.
        status: ``ok``; ``no person`` (nobody in this frame, so nothing was detected); ``failed``.
        reason: why it failed, else empty.
        points: float32 (K, 2) pixels of the frame, or None unless the status is ``ok``.
        confidence: float32 (K,), 0 to 1, or None likewise.
        window: the square (x0, y0, side) in pixels that the detector looked at, or None.
        image: the frame itself, uint8 (H, W, 3) RGB, or None where it could not be read.
    """

    source: str
    index: int
    time: float | None
    status: str
    reason: str = ""
    points: np.ndarray | None = None
    confidence: np.ndarray | None = None
    window: Window | None = None
    image: np.ndarray | None = None
