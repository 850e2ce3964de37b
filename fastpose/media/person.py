"""Finding moving people before a fixed camera, frame by frame and over time.

Boxes are (x0, y0, x1, y1), the outer edges in pixels whose centres are integers: a box around the
single pixel (3, 5) is (2.5, 4.5, 3.5, 5.5).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fastpose.media.background import Background, Frames, estimate_background
from fastpose.media.figure import Figure
from fastpose.media.filters import box_blur, dilate, label_components
from fastpose.media.stabilize import ShakeMeter, translate

Array = NDArray[np.floating]

_SHAKY = 0.3  # pixels of the analysed frames: standard deviation from which a camera trembles
_FIGURE_SAMPLES = 48


@dataclass(frozen=True)
class Blob:
    """Something that is not background: its box and its area in pixels."""

    box: tuple[float, float, float, float]
    area: int


@dataclass(frozen=True)
class Sight:
    """One frame looked at: ``mask`` (H, W) in [0, 1] and the blobs in it, largest first."""

    mask: Array
    blobs: list[Blob]


class PersonFinder:
    """Tells people from the scene of one fixed camera.

    Learned from samples of a whole shot; afterwards every frame is looked at on its own, so that
    a long video needs no memory.

    Args:
        frames: (T, H, W, 3) RGB uint8, samples of the shot, small (200 pixels or so are plenty).
        times: (T,) seconds.
        stays: True if the person is known to stay in place the whole time, False if known to come,
            go or travel, None to find out.

    Attributes:
        background: RGB uint8 (H, W, 3).
        stays: The answer to the question above.
        shaky: Whether the camera trembles; frames are then shifted onto a reference first.
    """

    def __init__(
        self, frames: Frames, times: NDArray[np.float64], *, stays: bool | None = None
    ) -> None:
        meter = ShakeMeter(frames[len(frames) // 2])
        shifts = np.array([meter.shift(frame) for frame in frames])
        self.shaky = bool(shifts.std(axis=0).max() > _SHAKY)
        self._meter = meter if self.shaky else None
        if self.shaky:
            moved = zip(frames, shifts, strict=True)
            frames = np.stack([translate(f, float(dy), float(dx)) for f, (dy, dx) in moved])
        scene = estimate_background(frames, times)
        self.stays = (not scene.empty and _stays(frames, scene)) if stays is None else stays
        self._scene, self._figure = scene, None
        self.background = scene.image
        if self.stays:
            step = max(1, len(frames) // _FIGURE_SAMPLES)
            self._figure = Figure(frames[::step], scene.noise, shaky=self.shaky)
            self.background = self._figure.background

    def look(self, frame: Frames) -> Sight:
        """Mask and blobs of a frame of the size learned from."""
        shift = (0.0, 0.0) if self._meter is None else self._meter.shift(frame)
        steady = translate(frame, *shift)
        if self._figure is not None:
            mask = self._figure.mask(steady)
        else:
            excess = self._scene.difference(steady) / self._scene.threshold
            mask = np.clip(excess * 1.25 - 0.75, 0, 1).astype(np.float32)
        mask = translate(mask, -shift[0], -shift[1])
        solid = _clean(mask > 0.5)
        return Sight(mask * _near(solid), find_blobs(solid))


def find_blobs(solid: NDArray[np.bool_]) -> list[Blob]:
    """The separate things in a mask (H, W), largest first.

    Parts less than a limb's gap apart, above all one above the other, belong together: a belt or a
    trouser leg may look like the wall behind it. Specks are left out.
    """
    height, width = solid.shape
    joined = dilate(solid, max(1, height // 20), max(1, width // 96))
    labels, count = label_components(joined)
    labels = np.where(solid, labels, 0)
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    blobs = []
    for label in np.flatnonzero(areas):
        area = int(areas[label])
        if label == 0 or area < 0.001 * solid.size:
            continue
        rows, columns = np.nonzero(labels == label)
        # A percent of the pixels may stick out: a shadow's tip, a cable.
        x0, x1 = np.percentile(columns, [0.5, 99.5])
        y0, y1 = np.percentile(rows, [0.5, 99.5])
        if y1 - y0 + 1 >= 0.06 * height:
            box = (float(x0) - 0.5, float(y0) - 0.5, float(x1) + 0.5, float(y1) + 0.5)
            blobs.append(Blob(box, area))
    return sorted(blobs, key=lambda b: -b.area)


@dataclass
class Track:
    """One person over time: frame numbers, boxes (N, 4) and whether others stood in the way."""

    frames: list[int] = field(default_factory=list)
    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    areas: list[int] = field(default_factory=list)

    def smooth_boxes(self) -> NDArray[np.float64]:
        """Boxes (N, 4) after a median over 5 frames and a mean over 3: no jumps, no lag."""
        boxes = np.array(self.boxes, dtype=np.float64)
        for width, statistic in ((5, np.median), (3, np.mean)):
            reach = width // 2
            padded = np.pad(boxes, ((reach, reach), (0, 0)), mode="edge")
            windows = np.lib.stride_tricks.sliding_window_view(padded, width, axis=0)
            boxes = statistic(windows, axis=-1)
        return boxes


class Tracker:
    """Links the blobs of successive frames into tracks, by overlap.

    Args:
        patience: Frames for which a person may be unseen without the track ending.
    """

    def __init__(self, patience: int = 5) -> None:
        self.patience = patience
        self.tracks: list[Track] = []
        self._open: list[Track] = []

    def add(self, index: int, blobs: list[Blob]) -> None:
        """The blobs of frame ``index``; frames come in order.

        Two people who meet make one blob, one who falls apart makes two. Either way the track of
        the largest share goes on, and what the planner sees is the others ending or beginning.
        """
        self._open = [t for t in self._open if index - t.frames[-1] <= self.patience]
        pairs = []
        for i, track in enumerate(self._open):
            for j, blob in enumerate(blobs):
                overlap = _overlap(track.boxes[-1], blob.box)
                if overlap > 0.1:
                    pairs.append((overlap, i, j))
        used_tracks: set[int] = set()
        used_blobs: set[int] = set()
        for _, i, j in sorted(pairs, key=lambda p: (-p[0], p[1], p[2])):
            if i in used_tracks or j in used_blobs:
                continue
            used_tracks.add(i)
            used_blobs.add(j)
            self._append(self._open[i], index, blobs[j])
        for j, blob in enumerate(blobs):
            if j not in used_blobs:
                track = Track()
                self._append(track, index, blob)
                self.tracks.append(track)
                self._open.append(track)

    @staticmethod
    def _append(track: Track, index: int, blob: Blob) -> None:
        track.frames.append(index)
        track.boxes.append(blob.box)
        track.areas.append(blob.area)


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over the smaller of the two boxes' areas."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    smaller = min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
    return width * height / max(smaller, 1e-9)


def _stays(frames: Frames, scene: Background) -> bool:
    """Whether all movement is about one place: it neither wanders, nor does it leave each pixel.

    Compared are eight parts of the clip: how far the middle of the movement shifts between them,
    against how wide it is within one; and how long the busiest pixels differ from their median
    (rarely, where somebody only passes).
    """
    differing = np.stack([scene.difference(f) > scene.threshold for f in frames])
    busy = differing.mean(axis=0)
    if not busy.any():
        return False
    places = []
    for part in np.array_split(differing, min(8, len(differing))):
        columns = part.sum(axis=(0, 1)).cumsum()
        if columns[-1]:
            places.append(np.searchsorted(columns, np.array([0.05, 0.5, 0.95]) * columns[-1]))
    left, middle, right = np.array(places).T
    travel = np.ptp(middle) / max(1.0, float(np.median(right - left)))
    return bool(travel < 0.65 and np.percentile(busy[busy > 0], 99) > 0.29)


def _clean(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Removes specks, then closes gaps of a few pixels."""
    kept = box_blur(mask.astype(np.float32), 1) > 0.5
    return ~dilate(~dilate(kept, 2, 2), 2, 2)


def _near(solid: NDArray[np.bool_]) -> Array:
    """1 on and about what survived the cleaning, 0 where only specks were."""
    return dilate(solid, 2, 2).astype(np.float32)
