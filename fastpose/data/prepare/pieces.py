"""From people's boxes to clips: which frames, and which one square window for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fastpose.media.person import Track

Boxes = NDArray[np.float64]
Window = tuple[float, float, float]  # left, top outer corner and side, pixels of the source

NOBODY = "nobody in sight"
BORDER = "coming or going (cut by the picture's border)"
OTHERS = "another person in the window"
SMALL = "the person is too small"
SHORT = "too short a stay in one window"
DOUBTFUL = "moving, but hardly a person (comes and goes, falls apart)"

_HEIGHT = 0.78  # of the window, that the person takes
_WIDTH = 0.94  # of the window, that the person's arms or steps may take
_TRAVEL = 1.2  # a window may be so much wider than the person needs, before it is cut in two
_SMALLEST = 24.0  # pixels of the source that a person must be high


@dataclass(frozen=True)
class Piece:
    """Frames of a source (ascending, without gaps) and the window they are cut with."""

    frames: range
    window: Window


@dataclass(frozen=True)
class Rules:
    """What a clip must be like.

    Attributes:
        min_frames: Shorter pieces are dropped.
        max_frames: Longer ones are divided, which bounds memory.
        borders: Whether frames in which the person touches the picture's border are dropped.
        trust: Whether the boxes are known to be people's; otherwise flickering things are dropped.
    """

    min_frames: int = 16
    max_frames: int = 1000
    borders: bool = True
    trust: bool = False


def plan_pieces(
    tracks: Sequence[Track], size: tuple[int, int], rules: Rules
) -> tuple[list[Piece], dict[int, str]]:
    """Pieces for everybody in one shot, and for frames that are in no piece the reason.

    ``size`` is (width, height) of the source's frames. Frames that show nobody at all are in
    neither result.
    """
    pieces: list[Piece] = []
    dropped: dict[int, str] = {}
    for track in tracks:
        others = [t for t in tracks if t is not track and len(t.frames) >= 5]
        first, boxes = _fill_gaps(track)
        reasons = _judge(boxes, size, rules)
        for start, end in _runs([r is None for r in reasons]):
            for piece_start, piece_end in _divide(boxes, start, end, rules.max_frames):
                window = _window(boxes[piece_start:piece_end])
                blocked = _blocked(window, first + piece_start, first + piece_end, track, others)
                free = [not b for b in blocked]
                for i, is_free in enumerate(free):
                    reasons[piece_start + i] = SHORT if is_free else OTHERS
                for a, b in _runs(free):
                    frames = range(first + piece_start + a, first + piece_start + b)
                    if len(frames) < rules.min_frames:
                        continue
                    if rules.trust or _is_steady(track, frames):
                        pieces.append(Piece(frames, window))
                    else:
                        reasons[piece_start + a : piece_start + b] = [DOUBTFUL] * (b - a)
        for i, reason in enumerate(reasons):
            if reason is not None:
                dropped.setdefault(first + i, reason)
    for piece in pieces:
        for frame in piece.frames:
            dropped.pop(frame, None)
    return sorted(pieces, key=lambda p: (p.frames.start, p.window)), dropped


def whole_pieces(first: int, last: int, size: tuple[int, int], rules: Rules) -> list[Piece]:
    """Frames first to last with the square about the whole picture, divided evenly if too long."""
    count = last - first + 1
    parts = max(1, -(-count // rules.max_frames))
    edges = [first + round(i * count / parts) for i in range(parts + 1)]
    ranges = [range(a, b) for a, b in pairwise(edges)]
    window = whole_window(size)
    return [Piece(frames, window) for frames in ranges if len(frames) >= rules.min_frames]


def whole_window(size: tuple[int, int]) -> Window:
    """The smallest square about a picture of ``size`` (width, height), in its middle."""
    side = float(max(size))
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    return left - 0.5, top - 0.5, side


def follow_track(track: Track) -> list[Piece]:
    """One person from the first sight to the last, whoever else is there, in as few windows as fit.

    Nothing is judged and nothing dropped: what a detector looks through, framed as in training.
    """
    first, boxes = _fill_gaps(track)
    return [
        Piece(range(first + start, first + end), _window(boxes[start:end]))
        for start, end in _divide(boxes, 0, len(boxes), len(boxes))
    ]


def _fill_gaps(track: Track) -> tuple[int, Boxes]:
    """First frame and one smoothed box for every frame up to the last; gaps are bridged."""
    first, last = track.frames[0], track.frames[-1]
    smooth = track.smooth_boxes()
    every = np.arange(first, last + 1)
    columns = [np.interp(every, track.frames, smooth[:, i]) for i in range(4)]
    return first, np.stack(columns, axis=1)


def _judge(boxes: Boxes, size: tuple[int, int], rules: Rules) -> list[str | None]:
    """For each box why it cannot be used, or None."""
    width, height = size
    tall = boxes[:, 3] - boxes[:, 1]
    usual = float(np.percentile(tall, 90))
    margin = 0.01 * max(size)
    cut = (boxes[:, 0] < margin) | (boxes[:, 2] > width - 1 - margin)
    for end in (boxes[:, 1] < margin, boxes[:, 3] > height - 1 - margin):
        if end.mean() < 0.5:  # else the picture is framed so, and nobody is coming or going
            cut |= end
    reasons: list[str | None] = []
    for is_cut in cut:
        if usual < max(_SMALLEST, 0.1 * height):
            reasons.append(SMALL)
        else:
            reasons.append(BORDER if is_cut and rules.borders else None)
    return reasons


def _runs(flags: Sequence[bool]) -> list[tuple[int, int]]:
    """(start, end) of the stretches of True, end exclusive."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(flags, dtype=np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _divide(boxes: Boxes, start: int, end: int, longest: int) -> list[tuple[int, int]]:
    """Cuts [start, end) wherever one window would have to become much wider than the person."""
    wanted = _TRAVEL * _side(
        float(np.percentile(boxes[start:end, 2] - boxes[start:end, 0], 90)),
        float(np.percentile(boxes[start:end, 3] - boxes[start:end, 1], 90)),
    )
    cuts = [start]
    low, high = boxes[start, :2], boxes[start, 2:]
    for i in range(start, end):
        low, high = np.minimum(low, boxes[i, :2]), np.maximum(high, boxes[i, 2:])
        if i > cuts[-1] and (_side(*(high - low)) > wanted or i - cuts[-1] >= longest):
            cuts.append(i)
            low, high = boxes[i, :2], boxes[i, 2:]
    return list(zip(cuts, [*cuts[1:], end], strict=True))


def _side(width: float, height: float) -> float:
    return max(height / _HEIGHT, width / _WIDTH)


def _window(boxes: Boxes) -> Window:
    """The window about robust extremes of the boxes, on whole pixels."""
    x0, y0 = np.percentile(boxes[:, :2], 2, axis=0)
    x1, y1 = np.percentile(boxes[:, 2:], 98, axis=0)
    side = float(np.ceil(_side(x1 - x0, y1 - y0)))
    left = float(np.round((x0 + x1 - side) / 2 + 0.5)) - 0.5
    top = float(np.round((y0 + y1 - side) / 2 + 0.5)) - 0.5
    return left, top, side


def _is_steady(track: Track, frames: range) -> bool:
    """Whether something was seen in nearly all frames, solid, and about as large throughout.

    Leaves in the wind and the camera's exposure make tracks too; they fail here.
    """
    seen = [i for i, frame in enumerate(track.frames) if frame in frames]
    boxes, areas = np.array(track.boxes)[seen], np.array(track.areas, dtype=np.float64)[seen]
    filled = areas / np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    smallest, largest = np.percentile(areas, [5, 95])
    return bool(
        len(seen) >= 0.85 * len(frames) and np.median(filled) >= 0.12 and largest < 8 * smallest
    )


def _blocked(
    window: Window, start: int, end: int, track: Track, others: Sequence[Track]
) -> list[bool]:
    """For each frame of [start, end) whether somebody else of some size is in the window."""
    blocked = [False] * (end - start)
    own = float(np.median(track.areas))
    x0, y0, side = window
    for other in others:
        for frame, box, area in zip(other.frames, other.boxes, other.areas, strict=True):
            if not start <= frame < end or area < 0.15 * own:
                continue
            width = min(box[2], x0 + side) - max(box[0], x0)
            height = min(box[3], y0 + side) - max(box[1], y0)
            whole = (box[2] - box[0]) * (box[3] - box[1])
            if width > 0 and height > 0 and width * height > 0.2 * whole:
                blocked[frame - start] = True
    return blocked
