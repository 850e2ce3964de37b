"""The picture behind the people, as a fixed camera sees it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastpose.media.filters import box_blur, local_range

Frames = NDArray[np.uint8]

# Grey levels by which blurred pixels of two frames of the same empty scene may differ.
_SAME_PIXEL = 10.0
# Share of the picture that may differ all the same: less than the smallest person of interest.
_SAME_SCENE = 0.001
# A person who waves passes through the same picture again and again, but does not stay in it.
_STILL_SECONDS = 1.0


class FrameSampler:
    """Keeps up to ``limit`` frames, evenly spaced, of a stream whose length is not known."""

    def __init__(self, limit: int) -> None:
        if limit < 2:
            raise ValueError(f"limit: expected at least 2, got {limit}")
        self.limit, self.stride, self._seen = limit, 1, 0
        self.frames: list[Frames] = []
        self.times: list[float] = []

    def add(self, time: float, frame: Frames) -> None:
        """Offers the next frame of the stream, RGB uint8 (H, W, 3), and its time in seconds."""
        if self._seen % self.stride == 0:
            self.frames.append(frame)
            self.times.append(time)
            if len(self.frames) > self.limit:
                self.thin()
        self._seen += 1

    def thin(self) -> None:
        """Drops every other frame kept so far and halves the rate from now on."""
        self.frames, self.times = self.frames[::2], self.times[::2]
        self.stride *= 2


@dataclass(frozen=True)
class Background:
    """The scene without people, and how well it is known.

    Attributes:
        image: RGB uint8 (H, W, 3).
        noise: Standard deviation of an undisturbed pixel between frames, in grey levels.
        empty: Whether it was seen with nobody in it, and is not merely the pixels' median.
    """

    image: Frames
    noise: float
    empty: bool

    @property
    def threshold(self) -> float:
        """Difference in grey levels from which a pixel is certainly not background."""
        return max(12.0, 5.0 * self.noise)

    def difference(self, frame: Frames) -> NDArray[np.float32]:
        """Grey levels (H, W) by which a frame leaves what is seen around each pixel.

        Compared with the range of the background's 3 x 3 neighbours, so that half a pixel of
        movement of a sharp edge is no difference; a change of exposure is taken out first.
        """
        reference = self.image.astype(np.float32)
        values = frame.astype(np.float32) - self._exposure(frame)
        low, high = local_range(reference)
        excess = np.maximum(values - high, low - values)
        return np.maximum(excess, 0).max(axis=2)

    def _exposure(self, frame: Frames) -> NDArray[np.float32]:
        """What the camera's automatic exposure and white balance added to each pixel (H, W, 3).

        Dark and bright places change differently, so the offset is a curve over the background's
        own value: the median over its pixels in eight ranges, joined by straight lines.
        """
        offset = np.empty(frame.shape, dtype=np.float32)
        for channel in range(3):
            reference = self.image[..., channel]
            change = frame[..., channel].astype(np.int16) - reference
            values, medians = [], []
            for step in range(8):
                chosen = (reference >> 5) == step
                if chosen.sum() >= 0.01 * chosen.size:
                    values.append(float(np.median(reference[chosen])))
                    medians.append(float(np.clip(np.median(change[chosen]), -60, 60)))
            curve = np.interp(np.arange(256), values, medians).astype(np.float32)
            offset[..., channel] = curve[reference]
        return offset


def estimate_background(frames: Frames, times: NDArray[np.float64]) -> Background:
    """Background of sampled frames (T, H, W, 3) of one fixed camera, taken at ``times`` seconds.

    Where people come and go, the empty scene comes back: frames that are the same up to noise for
    a second and more show nobody, since no person ever stands that still. Their median is the
    background. Where no such frames exist, the median of all frames has to do; it holds as long
    as every place is free more than half of the time.
    """
    noise = _noise(frames)
    group = _empty_frames(frames, np.asarray(times, dtype=np.float64), noise)
    chosen = frames if group is None else frames[group]
    noise = noise if group is None else _noise(chosen)
    image = np.median(chosen, axis=0).astype(np.uint8)
    return Background(image=image, noise=noise, empty=group is not None)


def _noise(frames: Frames) -> float:
    """From the pixels' own fluctuation about their median; robust while most pixels are idle."""
    some = frames[:: max(1, len(frames) // 32)]
    deviation = np.abs(some.astype(np.float32) - np.median(some, axis=0))
    return max(1.0, 1.4826 * float(np.median(deviation)))


def _empty_frames(
    frames: Frames, times: NDArray[np.float64], noise: float
) -> NDArray[np.intp] | None:
    """Indices of the largest group of frames that repeat one lasting state; None if under three."""
    count = len(frames)
    if count < 4:
        return None
    blurred = box_blur(np.moveaxis(frames.astype(np.float32), 3, 1), 1, passes=2)
    if max(frames.shape[1:3]) > 96:  # a person is still some pixels wide at half the size
        blurred = blurred[:, :, ::2, ::2]
    limit = max(_SAME_PIXEL, 2.5 * noise)
    differing = np.zeros((count, count), dtype=np.float32)
    for i in range(count - 1):
        share = (np.abs(blurred[i + 1 :] - blurred[i]).max(axis=1) > limit).mean(axis=(1, 2))
        differing[i, i + 1 :] = differing[i + 1 :, i] = share
    same = differing <= _SAME_SCENE
    lasting = _lasting(same, times)
    best = int(lasting.sum(axis=1).argmax())
    if not lasting[best].any() or same[best].sum() < 3:
        return None
    return np.flatnonzero(same[best])


def _lasting(same: NDArray[np.bool_], times: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(T, T): entry (i, j) where frame j lies in a run of frames like i that lasts a second."""
    lasting = np.zeros_like(same)
    for i, row in enumerate(same):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(np.int8), [0]])))
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            if times[end - 1] - times[start] >= _STILL_SECONDS:
                lasting[i, start:end] = True
    return lasting
