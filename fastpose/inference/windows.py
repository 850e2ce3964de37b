"""Square windows: where they sit in a frame, and the way of a point in and out of them.

A window is (x0, y0, side): its top left outer corner in pixels whose centres are integers, and its
side, as in `media.images.crop_window`. A whole square picture is (-0.5, -0.5, S). It may reach
outside the frame, where the nearest edge pixel is repeated.
"""

from __future__ import annotations

import numpy as np

from fastpose.inference.frames import Window


def full_window(height: int, width: int) -> Window:
    """The smallest centred square that holds a whole frame of height x width pixels."""
    side = float(max(height, width))
    return ((width - side) / 2 - 0.5, (height - side) / 2 - 0.5, side)


def crop_to_frame(points: np.ndarray, windows: np.ndarray, size: int) -> np.ndarray:
    """Points (B, K, 2) in pixels of S x S crops -> pixels of the frames, float32.

    The inverse of ``p' = (p - (x0, y0)) * S / side - 0.5``.

    Args:
        windows: (B, 3), one window a crop.
        size: S.
    """
    windows = np.asarray(windows, np.float64).reshape(-1, 1, 3)
    return ((points + 0.5) * (windows[..., 2:] / size) + windows[..., :2]).astype(np.float32)
