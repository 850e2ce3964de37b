"""A person who stays in place the whole time: told from the scene by colour, place and movement.

The median of such a video contains the person, so subtracting it finds moving arms only. What the
scene looks like is learned to the left and right of where anything moves, what the person looks
like from the moving places; both are histograms of colour, as in GrabCut without the cut.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastpose.media.background import Frames
from fastpose.media.filters import (
    box_blur,
    dilate,
    fill_unknown,
    guided_filter,
    label_components,
    local_range,
)

Array = NDArray[np.floating]

_BINS = 16  # per colour axis
_BANDS = 6  # the scene's colours are learned by height: wall, floor
_ROUNDS = 8  # of expectation maximisation


class Figure:
    """Soft masks of a person who stays in place before a fixed camera.

    Args:
        frames: (T, H, W, 3) RGB uint8, samples of the whole clip.
        noise: Standard deviation of an undisturbed pixel, in grey levels.
        shaky: Whether the frames were shifted onto each other, which leaves wider false edges.

    Attributes:
        background: RGB uint8 (H, W, 3); where the person always stands it is filled in from
            around.
        known: (H, W) in [0, 1], the share of certainty with which each pixel of it was seen.
        moving: (H, W) bool, where something moved.
    """

    def __init__(self, frames: Frames, noise: float, *, shaky: bool = False) -> None:
        self._noise = noise
        self._axes = _colour_axes(frames)
        self.moving = _moving(frames, noise, radius=2 if shaky else 1)
        self._radius = max(2, max(frames.shape[1:3]) // 32)
        column = self._column()
        bins, guide = self._bins(frames), self._guide(frames)
        weight = np.broadcast_to((~column).astype(np.float32), bins.shape)
        self._scene = self._learn_scene(bins, weight)
        share = self._learn_figure(bins, guide, column)
        self.background, self.known = self._fill(frames, share)

    def mask(self, frame: Frames) -> Array:
        """The person's share of each pixel, (H, W) in [0, 1]."""
        bins, guide = self._bins(frame[None])[0], self._guide(frame[None])[0]
        colour = np.clip(self._colour_evidence(bins), -4, 4)
        distance = np.abs(frame.astype(np.float32) - self.background).max(axis=2)
        # Where the scene behind was truly seen, differing from it says more than the colour.
        differs = (distance - 4 * self._noise - 8) / (2 * self._noise + 4)
        differs = np.clip(differs, -3, 3) * (0.35 + 0.65 * self.known)
        evidence = 0.5 * colour + 1.5 * differs + 0.5 * self._place
        flat = (2.5 * self._noise / 255) ** 2 + 1e-4
        radius = self._radius
        evidence = guided_filter(guide, np.clip(evidence, -6, 6), radius, flat)
        for _ in range(2):  # neighbours of like brightness agree
            vote = guided_filter(guide, np.tanh(evidence / 2), radius, flat)
            evidence = 0.5 * evidence + 2.5 * vote
        return _sigmoid(evidence)

    def _column(self) -> NDArray[np.bool_]:
        """Where the person may be: about and between what moves, and everything below it."""
        height, width = self.moving.shape
        seed = box_blur(self.moving.astype(np.float32), 1) > 0.4
        labels, count = label_components(seed)
        areas = np.bincount(labels.ravel(), minlength=count + 1)
        kept = areas >= 0.03 * max(1, seed.sum())
        kept[0] = False
        seed = kept[labels]
        column = np.ones((height, width), dtype=bool)
        for reach in (0.15, 0.1, 0.06):
            # Of somebody who waves one arm the other shoulder is at rest, if there is room for it.
            above, aside = (max(1, round(r * max(height, width))) for r in (0.06, reach))
            column = np.maximum.accumulate(dilate(seed, above, aside), axis=0)
            # Between two moving arms is a body, even if that is at rest.
            right = np.maximum.accumulate(column, axis=1)
            column = right & np.maximum.accumulate(column[:, ::-1], axis=1)[:, ::-1]
            if column.mean() <= 0.6:
                break
        if not seed.any() or column.mean() > 0.92:
            # Nothing left to learn the scene from: take both borders for it.
            strip = max(1, width // 16)
            column = np.ones((height, width), dtype=bool)
            column[:, :strip] = column[:, width - strip :] = False
        return column

    def _bins(self, frames: Frames) -> NDArray[np.int32]:
        low, high = self._axes
        place = (_opponent(frames) - low) / (high - low) * _BINS
        place = np.clip(place, 0, _BINS - 1).astype(np.int32)
        return (place[..., 0] * _BINS + place[..., 1]) * _BINS + place[..., 2]

    def _guide(self, frames: Frames) -> Array:
        return frames.mean(axis=3, dtype=np.float32) / 255

    def _learn_scene(self, bins: NDArray[np.int32], weight: Array) -> Array:
        """log p(colour | scene) for each row: (H, bins)."""
        height = bins.shape[1]
        rows = np.arange(height)
        everywhere = _histogram(bins, weight)
        centres = (np.arange(_BANDS) + 0.5) * height / _BANDS
        near = np.exp(-0.5 * ((rows - centres[:, None]) / (height / _BANDS)) ** 2)
        bands = [_histogram(bins, weight * band[None, :, None].astype(np.float32)) for band in near]
        mixing = near / near.sum(axis=0)
        density = 0.85 * (mixing.T @ np.stack(bands)) + 0.15 * everywhere
        return np.log(density).astype(np.float32)

    def _learn_figure(
        self, bins: NDArray[np.int32], guide: Array, column: NDArray[np.bool_]
    ) -> Array:
        """Fits the person's colours and places; returns the person's share (T, H, W)."""
        uniform = 1.0 / _BINS**3
        moving = self.moving.astype(np.float32)
        trusted = np.maximum(box_blur(moving, 1, passes=2), 0.03)
        self._person = np.full(_BINS**3, np.log(2 * uniform), dtype=np.float32)
        prior = np.where(self.moving, 0.5, np.where(column, 0.2, 0.02)).astype(np.float32)
        smooth = max(1, bins.shape[1] // 48)
        flat = (2 * self._noise / 255) ** 2 + 1e-4
        share = np.zeros(bins.shape, dtype=np.float32)
        for _ in range(_ROUNDS):
            self._place = np.log(prior / (1 - prior))
            share = _sigmoid(self._colour_evidence(bins) + self._place)
            share = np.clip(guided_filter(guide, share, self._radius, flat), 0, 1)
            seen = _histogram(bins, share * trusted)
            self._person = np.log(0.85 * seen + 0.15 * uniform).astype(np.float32)
            often = box_blur(share.mean(axis=0), smooth, passes=2)
            prior = np.clip(0.03 + 0.9 * often, 0.02, 0.95) * np.where(column, 1.0, 0.3)
            prior = prior.astype(np.float32)
        return share

    def _colour_evidence(self, bins: NDArray[np.int32]) -> Array:
        rows = np.arange(bins.shape[-2])[:, None]
        return self._person[bins] - self._scene[rows, bins]

    def _fill(self, frames: Frames, share: Array) -> tuple[Frames, Array]:
        weight = np.where(share > 0.4, 0, (1 - share) ** 2).astype(np.float32)
        total = weight.sum(axis=0)
        mean = np.einsum("thw,thwc->hwc", weight, frames.astype(np.float32))
        mean /= np.maximum(total, np.float32(1e-6))[..., None]
        known = np.clip(total / (0.06 * len(frames)), 0, 1)
        filled = fill_unknown(mean, known)
        return np.rint(np.clip(filled, 0, 255)).astype(np.uint8), known


def _moving(frames: Frames, noise: float, radius: int) -> NDArray[np.bool_]:
    """Pixels that leave the surroundings of their median in at least one frame of twelve."""
    median = np.median(frames, axis=0).astype(np.float32)
    low, high = local_range(median, radius)
    excess = np.empty(frames.shape[:3], dtype=np.float32)
    for out, frame in zip(excess, frames, strict=True):
        values = frame.astype(np.float32)
        out[:] = np.maximum(np.maximum(values - high, low - values), 0).max(axis=2)
    return np.percentile(excess, 92, axis=0) > max(15.0, 5.0 * noise)


def _opponent(frames: Frames) -> Array:
    """Brightness, red against green, yellow against blue."""
    values = frames.astype(np.float32)
    red, green, blue = values[..., 0], values[..., 1], values[..., 2]
    return np.stack([(red + green + blue) / 3, red - green, (red + green) / 2 - blue], axis=-1)


def _colour_axes(frames: Frames) -> tuple[Array, Array]:
    """Range of each colour axis, so that the bins are spent on colours that occur."""
    some = _opponent(frames[:: max(1, len(frames) // 16)]).reshape(-1, 3)
    low, high = np.percentile(some, [1, 99], axis=0)
    high = np.maximum(high, low + np.array([48.0, 40.0, 40.0]))
    return low.astype(np.float32), high.astype(np.float32)


def _histogram(bins: NDArray[np.int32], weight: Array) -> NDArray[np.float64]:
    """Smoothed density of colours, positive everywhere."""
    counts = np.bincount(bins.ravel(), weights=np.ascontiguousarray(weight).ravel())
    cube = np.zeros(_BINS**3)
    cube[: len(counts)] = counts
    cube = cube.reshape(_BINS, _BINS, _BINS)
    for axis in range(3):
        padded = np.pad(cube, [(1, 1) if a == axis else (0, 0) for a in range(3)], mode="edge")
        before, here, after = (np.take(padded, range(i, i + _BINS), axis) for i in range(3))
        cube = 0.25 * before + 0.5 * here + 0.25 * after
    return (cube / max(cube.sum(), 1e-9) + 1e-6).ravel()


def _sigmoid(values: Array) -> Array:
    return (1 / (1 + np.exp(-np.clip(values, -12, 12)))).astype(np.float32)
