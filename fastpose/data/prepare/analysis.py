"""Two passes over small frames of a source: what each camera shot looks like, then who is in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fastpose.data.prepare.sources import Source
from fastpose.media.background import FrameSampler
from fastpose.media.person import PersonFinder, Track, Tracker

MAX_SIDE = 192  # pixels of the longer side that the analysis looks at
_SAMPLES = 120  # of one shot
_SAMPLES_ALL = 1200  # of all shots together: 100 MB at most
_CUT_CORRELATION = 0.4

Progress = Callable[[int], None]  # called with the number of frames done


@dataclass
class Shot:
    """Frames [first, last] that one unmoved camera took, and what was found in them.

    Attributes:
        finder: Learned from the shot; None where it is too short to learn anything.
        tracks: The people, their boxes in pixels of the source's frames.
    """

    first: int
    last: int
    finder: PersonFinder | None
    tracks: list[Track] = field(default_factory=list)


@dataclass
class Analysis:
    """What is known of a source before anything is cut: its size in pixels and its shots."""

    width: int
    height: int
    frames: int
    shots: list[Shot]


def analyze(source: Source, *, stays: bool | None, follow: bool, progress: Progress) -> Analysis:
    """Learns the shots of a source and, if ``follow``, who is in them; ``stays``: PersonFinder's.

    Memory does not grow with the length of the source, except for the boxes.
    """
    samplers, firsts, size, total = _sample(source, progress)
    lasts = [*(first - 1 for first in firsts[1:]), total - 1]
    shots = []
    for sampler, first, last in zip(samplers, firsts, lasts, strict=True):
        finder = None
        if len(sampler.frames) >= 4:
            finder = PersonFinder(np.stack(sampler.frames), np.array(sampler.times), stays=stays)
        shots.append(Shot(first, last, finder))
        sampler.frames.clear()
    if follow:
        _follow(source, shots, size, progress)
    return Analysis(width=size[0], height=size[1], frames=total, shots=shots)


def _sample(
    source: Source, progress: Progress
) -> tuple[list[FrameSampler], list[int], tuple[int, int], int]:
    samplers: list[FrameSampler] = []
    firsts: list[int] = []
    before: NDArray[np.float32] | None = None
    size, count = (1, 1), 0
    for frame in source.frames(MAX_SIDE):
        here = _thumbnail(frame.image)
        if before is None or _is_cut(before, here):
            samplers.append(FrameSampler(_SAMPLES))
            firsts.append(count)
        samplers[-1].add(frame.time, frame.image)
        if sum(len(s.frames) for s in samplers) > _SAMPLES_ALL:
            for sampler in samplers:
                if len(sampler.frames) > 16:
                    sampler.thin()
        size, before, count = frame.size, here, count + 1
        progress(count)
    return samplers, firsts, size, count


def _follow(source: Source, shots: list[Shot], size: tuple[int, int], progress: Progress) -> None:
    shot, tracker = -1, Tracker()
    for frame in source.frames(MAX_SIDE):
        if shot + 1 < len(shots) and frame.index == shots[shot + 1].first:
            shot, tracker = shot + 1, Tracker(patience=max(3, round(0.3 * source.fps)))
            shots[shot].tracks = tracker.tracks
        finder = shots[shot].finder
        if finder is not None:
            tracker.add(frame.index, finder.look(frame.image).blobs)
        progress(frame.index + 1)
    for found in shots:
        for track in found.tracks:
            _scale(track, size, (frame.image.shape[1], frame.image.shape[0]))


def _scale(track: Track, size: tuple[int, int], analysed: tuple[int, int]) -> None:
    """From pixels of the analysed frames to those of the source: p' = (p + 0.5) S'/S - 0.5."""
    factor = np.array([size[0] / analysed[0], size[1] / analysed[1]] * 2)
    boxes = (np.array(track.boxes) + 0.5) * factor - 0.5
    track.boxes = [tuple(box) for box in boxes.tolist()]
    track.areas = [round(area * factor[0] * factor[1]) for area in track.areas]


def _thumbnail(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """8 x 8 mean brightness about zero: a change of exposure scales it, a cut shatters it."""
    grey = image.mean(axis=2, dtype=np.float32)
    edges = [np.linspace(0, n, min(n, 8) + 1).astype(int) for n in grey.shape]
    small = np.add.reduceat(np.add.reduceat(grey, edges[0][:-1], axis=0), edges[1][:-1], axis=1)
    small /= np.outer(np.diff(edges[0]), np.diff(edges[1]))
    return small - small.mean()


def _is_cut(before: NDArray[np.float32], here: NDArray[np.float32]) -> bool:
    spread = float(before.std()) * float(here.std())
    if min(before.std(), here.std()) < 4.0:  # grey levels; a blank picture looks like nothing
        return False
    return float((before * here).mean()) < _CUT_CORRELATION * spread
