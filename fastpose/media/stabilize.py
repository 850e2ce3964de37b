"""Small camera movements (a hand-held camera that trembles): measured and taken out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


class ShakeMeter:
    """Measures by how much a frame is shifted against a reference frame of the same size.

    Phase correlation of gradient magnitudes, whose peak is refined to parts of a pixel. A person
    who moves before a bare wall looks like a shift too, so one only counts if it also brings the
    outer sixth of the picture clearly closer to the reference.

    Args:
        reference: RGB uint8 (H, W, 3).
        limit: Shifts beyond this share of the picture's sides are taken for mismatches: (0, 0).
    """

    def __init__(self, reference: NDArray[np.uint8], *, limit: float = 0.06) -> None:
        height, width = reference.shape[:2]
        self._limit = (limit * height, limit * width)
        self._window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
        rows, columns = max(1, height // 6), max(1, width // 6)
        self._ring = np.ones((height, width), dtype=bool)
        self._ring[rows : height - rows, columns : width - columns] = False
        self._grey = reference.mean(axis=2, dtype=np.float32)
        self._reference = self._spectrum(reference)

    def _spectrum(self, image: NDArray[np.uint8]) -> NDArray[np.complex128]:
        grey = image.mean(axis=2)
        if min(grey.shape) < 2:
            return np.fft.rfft2(grey)
        edges = np.hypot(*np.gradient(grey))
        return np.fft.rfft2((edges - edges.mean()) * self._window)

    def shift(self, image: NDArray[np.uint8]) -> tuple[float, float]:
        """(dy, dx) in pixels by which ``image`` must move to lie on the reference."""
        cross = self._reference * np.conj(self._spectrum(image))
        size = np.abs(cross)
        if size.max() < 1e-9:
            return 0.0, 0.0
        surface = np.fft.irfft2(cross / (size + 1e-3 * size.mean()), s=self._window.shape)
        peak = np.unravel_index(int(surface.argmax()), surface.shape)
        dy = _refine(surface[:, peak[1]], int(peak[0]))
        dx = _refine(surface[peak[0], :], int(peak[1]))
        if abs(dy) > self._limit[0] or abs(dx) > self._limit[1]:
            return 0.0, 0.0
        grey = image.mean(axis=2, dtype=np.float32)
        moved = np.abs(translate(grey, dy, dx) - self._grey)[self._ring].mean()
        return (
            (dy, dx) if moved < 0.8 * np.abs(grey - self._grey)[self._ring].mean() else (0.0, 0.0)
        )


def _refine(line: NDArray[np.float64], peak: int) -> float:
    """The top of the parabola through the peak and its neighbours, as a signed cyclic shift."""
    count = len(line)
    before, here, after = line[peak - 1], line[peak], line[(peak + 1) % count]
    curve = before - 2 * here + after
    place = peak + (0.0 if curve >= 0 else float(0.5 * (before - after) / curve))
    return place - count if place > count / 2 else place


def translate(image: NDArray, dy: float, dx: float) -> NDArray:
    """Moves (H, W) or (H, W, C) by parts of pixels, bilinearly; edges are replicated."""
    if dy == 0 and dx == 0:
        return image
    for axis, shift in ((0, dy), (1, dx)):
        count = image.shape[axis]
        place = np.clip(np.arange(count) - shift, 0, count - 1)
        low = np.floor(place).astype(np.int64)
        share = (place - low).astype(np.float32)
        share = share.reshape([-1 if a == axis else 1 for a in range(image.ndim)])
        high = np.minimum(low + 1, count - 1)
        mixed = np.take(image, low, axis) * (1 - share) + np.take(image, high, axis) * share
        rounded = np.rint(mixed) if np.issubdtype(image.dtype, np.integer) else mixed
        image = rounded.astype(image.dtype)
    return image
