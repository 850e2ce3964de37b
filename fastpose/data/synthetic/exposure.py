"""Motion blur: where a body is while the shutter of a frame is open."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fastpose.data.synthetic.motion import BodyMotion

_MOST = 15  # moments of one exposure; further ones cost more than they show (assumed)


def other_moments(motion: BodyMotion, points: np.ndarray, exposure: float) -> list[BodyMotion]:
    """The motion at moments evenly spread over the exposure, but for that of the frames themselves.

    The exposure lies around the frame, so that the joints of the frame are the middle of the blur.
    There are as many moments as the fastest joint needs to move a pixel at most between two, and
    with the frame's own no more than fifteen.

    Args:
        motion: T frames.
        points: (T,K,2) its joints in pixels.
        exposure: how long the shutter is open, a share of the time from frame to frame; 0 for
            no other moment, as of a clip of one frame, which does not move.
    """
    fastest = np.linalg.norm(np.diff(points, axis=0), axis=-1).max(initial=0.0)
    either = min(int(np.ceil(exposure * fastest / 2)), _MOST // 2)  # moments before and after
    count = 2 * either + 1
    return [_shifted(motion, exposure * i / count) for i in range(-either, either + 1) if i]


def _shifted(motion: BodyMotion, by: float) -> BodyMotion:
    """Every frame ``by`` frames later, on the parabola through it and its neighbours in time.

    The first and the last frame have one neighbour, and move straight.
    """

    def shift(values: np.ndarray) -> np.ndarray:
        bend = np.zeros_like(values)
        bend[1:-1] = values[2:] - 2 * values[1:-1] + values[:-2]
        return values + by * np.gradient(values, axis=0) + 0.5 * by**2 * bend

    face = shift(motion.face)
    face /= np.linalg.norm(face, axis=-1, keepdims=True)
    return replace(motion, positions=shift(motion.positions), face=face)
