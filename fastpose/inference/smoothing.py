"""The One-Euro filter: less jitter at rest, little delay in motion.

G. Casiez, N. Roussel, D. Vogel, "1 Euro Filter", CHI 2012: a first-order low-pass whose cut-off
rises with speed. Like every filter that sees only the past it shows the pose late; how late is
measured on the way (`mean_delay`) so that nobody has to guess.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fastpose.errors import UserError


@dataclass(frozen=True)
class SmoothingConfig:
    """Parameters of the filter; speeds are in window sides per second, so they fit every video.

    Attributes:
        min_cutoff: cut-off in Hz of a joint at rest. Lower is calmer and later. Assumed.
        beta: rise of the cut-off in Hz per unit of speed. Higher follows faster. Assumed.
        speed_cutoff: cut-off in Hz for the speed estimate itself (1 Hz in the paper).
    """

    min_cutoff: float = 1.5
    beta: float = 6.0
    speed_cutoff: float = 1.0

    def __post_init__(self) -> None:
        for name in ("min_cutoff", "speed_cutoff"):
            if not 0 < getattr(self, name) < math.inf:
                raise UserError(f"smoothing {name} must be a positive number of Hz")
        if not 0 <= self.beta < math.inf:
            raise UserError("smoothing beta must be zero or a positive number")


class OneEuroFilter:
    """Smooths the K joints of one person through one video, frame by frame."""

    def __init__(self, config: SmoothingConfig | None = None) -> None:
        self._config = config or SmoothingConfig()
        self._delay_sum = 0.0
        self._steps = 0
        self.reset()

    def reset(self) -> None:
        """Forget the past, at a cut or after frames without a person."""
        self._time: float | None = None
        self._points = np.zeros((0, 2))
        self._speed = np.zeros((0, 2))

    def __call__(self, points: np.ndarray, time: float, scale: float) -> np.ndarray:
        """Smooth one frame.

        Args:
            points: (K, 2) pixels of the frame; must be finite.
            time: seconds; a time that does not advance restarts the filter.
            scale: side in pixels of the person's window, the unit of speed.

        Returns:
            (K, 2) float32 pixels. The first frame passes unchanged.
        """
        points = np.asarray(points, np.float64)
        if self._time is None or time <= self._time or points.shape != self._points.shape:
            self._time, self._points = time, points
            self._speed = np.zeros_like(points)
            return points.astype(np.float32)
        step = time - self._time
        config = self._config
        rise = _weight(config.speed_cutoff, step)
        self._speed += rise * ((points - self._points) / (step * scale) - self._speed)
        speed = np.linalg.norm(self._speed, axis=-1, keepdims=True)
        weight = _weight(config.min_cutoff + config.beta * speed, step)
        self._points = self._points + weight * (points - self._points)
        self._time = time
        # A first-order low-pass with weight w trails a slow motion by (1 - w) / w frames.
        self._delay_sum += float(np.mean((1 - weight) / weight)) * step
        self._steps += 1
        return self._points.astype(np.float32)

    @property
    def mean_delay(self) -> float:
        """Seconds by which the smoothed joints trailed the measured ones, on average so far."""
        return self._delay_sum / self._steps if self._steps else 0.0


def _weight(cutoff: np.ndarray | float, step: float) -> np.ndarray | float:
    """Share of the new value in a low-pass of `cutoff` Hz at intervals of `step` seconds."""
    turn = 2 * math.pi * cutoff * step
    return turn / (turn + 1)
