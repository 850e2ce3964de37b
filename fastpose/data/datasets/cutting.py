"""Which squares are cut out of a recording, and the cutting itself, pictures with their labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np

from fastpose.data.clips import ClipWriter
from fastpose.data.datasets.base import Crop, Recording
from fastpose.data.datasets.views import looking_at
from fastpose.data.prepare.pieces import Piece, Rules, plan_pieces, whole_pieces
from fastpose.errors import UserError
from fastpose.media.images import Image, crop_window
from fastpose.media.person import Track

_FAR = 0.5  # of a picture's side: labels further outside belong to another picture


def check_labels(recording: Recording) -> int:
    """How many counted joints lie outside their picture.

    Raises:
        UserError: Labels for another number of pictures, or positions that no picture has.
    """
    count = len(recording.numbers)
    for key in ("keypoints", "visible", "keypoints3d", "boxes", "windows"):
        array = getattr(recording, key)
        if array is not None and len(array) != count:
            raise UserError(
                f"{recording.source}: has {count} pictures but {key} for {len(array)}; "
                "copy the data set again"
            )
    if recording.keypoints is None:
        return 0
    shown = _counted(recording)
    side = np.array(recording.size, np.float64)
    points = np.where(shown[..., None], recording.keypoints, 0.0)
    far = (points < -_FAR * side) | (points > (1 + _FAR) * side)
    if far.any():
        frame, joint = np.argwhere(far.any(axis=-1))[0]
        x, y = points[frame, joint]
        raise UserError(
            f"{recording.source}: joint {joint} of picture {recording.numbers[frame]} is at "
            f"({x:.0f}, {y:.0f}), far outside its {recording.size[0]} x {recording.size[1]} "
            "pixels; do the labels belong to these pictures?"
        )
    return int(_outside(points, recording.size).sum())


def _outside(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(((points < -0.5) | (points > np.array(size) - 0.5)).any(axis=-1))


def _counted(recording: Recording) -> np.ndarray:
    assert recording.keypoints is not None
    finite = np.asarray(np.isfinite(recording.keypoints).all(axis=-1))
    return finite if recording.visible is None else finite & recording.visible


def plan(recording: Recording, crop: Crop, rules: Rules) -> tuple[list[Piece], dict[int, str]]:
    """Squares by index of the picture in the recording, and why pictures are in none."""
    count = len(recording.numbers)
    if crop == "whole" or (crop == "person" and recording.boxes is None):
        return whole_pieces(0, count - 1, recording.size, rules), {}
    if crop == "person":
        assert recording.boxes is not None
        return plan_pieces(_tracks(recording.boxes), recording.size, rules)
    assert recording.windows is not None
    pieces = []
    for start, stop in _stretches(recording.windows, rules.max_frames):
        x, y, side = (float(v) for v in recording.windows[start])
        if stop - start >= rules.min_frames and np.isfinite(side):
            pieces.append(Piece(range(start, stop), (x, y, side)))
    return pieces, {}


def _tracks(boxes: np.ndarray) -> list[Track]:
    """The person as tracks: a picture without a box is the person's absence."""
    there = np.isfinite(boxes).all(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], there.astype(np.int8), [0]])))
    tracks = []
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        part = [(float(a), float(b), float(c), float(d)) for a, b, c, d in boxes[start:stop]]
        areas = [round((b[2] - b[0]) * (b[3] - b[1])) for b in part]
        tracks.append(Track(list(range(start, stop)), part, areas))
    return tracks


def _stretches(windows: np.ndarray, longest: int) -> Iterator[tuple[int, int]]:
    start = 0
    for i in range(1, len(windows) + 1):
        if i == len(windows) or i - start >= longest or (windows[i] != windows[start]).any():
            yield start, i
            start = i


def points_in(recording: Recording, piece: Piece, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Joints (n,K,2) in pixels of the ``size`` x ``size`` square, and which of them count."""
    assert recording.keypoints is not None
    chosen = list(piece.frames)
    x, y, side = piece.window
    points = recording.keypoints[chosen]
    shown = _counted(recording)[chosen] & ~_outside(np.nan_to_num(points), recording.size)
    placed = (points - np.array([x, y])) * (size / side) - 0.5
    return placed.astype(np.float32), shown


@dataclass
class _Open:
    piece: Piece
    frames: Image
    masks: Image | None


def cut(
    recording: Recording,
    pieces: Sequence[Piece],
    writer: ClipWriter,
    *,
    split: str | None,
    masks: bool,
) -> None:
    """Write one clip for each of the pieces, in one pass over the pictures.

    Raises:
        UserError: A picture cannot be read, or there are fewer or more than labels.
    """
    if not pieces:
        return
    count, size = len(recording.numbers), writer.size
    wanted = masks and recording.masks is not None
    waiting = sorted(pieces, key=lambda p: p.frames.start, reverse=True)
    under_way: list[_Open] = []
    covers = recording.masks() if wanted and recording.masks is not None else repeat(None)
    at = 0
    for image, cover in zip(recording.images(), covers, strict=False):
        if at == count or (image.shape[1], image.shape[0]) != tuple(recording.size):
            raise UserError(
                f"{recording.source}: picture {at + 1} is {image.shape[1]} x {image.shape[0]} "
                f"pixels, where {count} of {recording.size[0]} x {recording.size[1]} are labelled; "
                "copy it again"
            )
        while waiting and waiting[-1].frames.start == at:
            piece = waiting.pop()
            frames = np.empty((len(piece.frames), size, size, 3), np.uint8)
            cut_masks = np.empty(frames.shape[:3], np.uint8) if wanted else None
            under_way.append(_Open(piece, frames, cut_masks))
        for clip in list(under_way):
            place = at - clip.piece.frames.start
            clip.frames[place] = crop_window(image, clip.piece.window, size)
            if clip.masks is not None and cover is not None:
                clip.masks[place] = crop_window(cover, clip.piece.window, size)
            if at == clip.piece.frames[-1]:
                under_way.remove(clip)
                _write(recording, clip, writer, split, len(pieces) > 1)
        at += 1
    if at != count:
        raise UserError(
            f"{recording.source}: gave {at} pictures or masks where {count} are labelled; "
            "copy it again"
        )


def _write(
    recording: Recording, clip: _Open, writer: ClipWriter, split: str | None, several: bool
) -> None:
    chosen = list(clip.piece.frames)
    extras: dict[str, Any] = {"mask": clip.masks}
    if recording.keypoints is not None:
        extras["keypoints"], extras["visible"] = points_in(recording, clip.piece, writer.size)
    if recording.keypoints3d is not None:
        extras["keypoints3d"] = recording.keypoints3d[chosen].astype(np.float32)
    if recording.rotation is not None and recording.intrinsics is not None:
        turned = looking_at(recording.rotation, recording.intrinsics, clip.piece.window)
        rotation = turned.astype(np.float32)
        extras["rotation"] = np.broadcast_to(rotation, (len(chosen), 3, 3))
    if clip.masks is not None and recording.background is not None:
        extras["background"] = crop_window(recording.background, clip.piece.window, writer.size)
    first = recording.numbers[chosen[0]]
    writer.add(
        f"{recording.name}_{first:06d}" if several else recording.name,
        clip.frames,
        fps=recording.fps,
        activity=recording.activity,
        actor=recording.actor,
        source=recording.source,
        source_frames=[recording.numbers[i] for i in chosen],
        window=clip.piece.window,
        split=split,
        group=recording.group,
        view=recording.view,
        **extras,
    )
