"""The last pass over a source: cuts the windows out of full frames and writes the clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastpose.data.clips import ClipWriter
from fastpose.data.prepare.analysis import Analysis, Progress, Shot
from fastpose.data.prepare.pieces import Piece, Window
from fastpose.data.prepare.sources import Source
from fastpose.media.images import crop_window, resize

Frames = NDArray[np.uint8]


@dataclass(frozen=True)
class Row:
    """One clip as the contact sheet shows it: a caption and pictures of one size."""

    caption: str
    pictures: list[Frames]


@dataclass
class _Open:
    piece: Piece
    shot: Shot | None
    frames: Frames
    masks: Frames | None


def cut_source(
    source: Source,
    pieces: Sequence[Piece],
    analysis: Analysis | None,
    writer: ClipWriter,
    *,
    masks: bool,
    partial: bool,
    row_frames: int,
    progress: Progress,
) -> tuple[int, list[Row]]:
    """Writes one clip for each piece; returns their number and the sheet's rows.

    Only the pieces under way are in memory, at most ``Rules.max_frames`` frames each. The report
    of the source is complete afterwards.
    """
    waiting = sorted(enumerate(pieces), key=lambda p: p[1].frames.start)
    under_way: dict[int, _Open] = {}
    rows: dict[int, Row] = {}
    for frame in source.frames():
        while waiting and waiting[0][1].frames.start == frame.index:
            number, piece = waiting.pop(0)
            under_way[number] = _begin(piece, analysis, writer.size, masks)
        small: dict[int, NDArray[np.float32]] = {}
        for number, clip in list(under_way.items()):
            at = frame.index - clip.piece.frames.start
            clip.frames[at] = crop_window(frame.image, clip.piece.window, writer.size)
            if clip.masks is not None and clip.shot is not None and analysis is not None:
                if clip.shot.first not in small:
                    small[clip.shot.first] = _mask(clip.shot, frame.image)
                clip.masks[at] = _cut_small(
                    small[clip.shot.first], clip.piece.window, frame.size, writer.size
                )
            if frame.index == clip.piece.frames[-1]:
                del under_way[number]
                name = source.name if len(pieces) == 1 else f"{source.name}_{number + 1:02d}"
                rows[number] = _write(
                    clip, name, source, frame.size, writer, partial=partial, shown=row_frames
                )
        progress(frame.index + 1)
    return len(rows), [rows[number] for number in sorted(rows)]


def _begin(piece: Piece, analysis: Analysis | None, size: int, masks: bool) -> _Open:
    shots = analysis.shots if analysis is not None else []
    shot = next((s for s in shots if s.first <= piece.frames.start <= s.last), None)
    frames = np.empty((len(piece.frames), size, size, 3), dtype=np.uint8)
    wanted = masks and shot is not None and shot.finder is not None
    return _Open(piece, shot, frames, np.empty(frames.shape[:3], np.uint8) if wanted else None)


def _mask(shot: Shot, image: Frames) -> NDArray[np.float32]:
    assert shot.finder is not None
    height, width = shot.finder.background.shape[:2]
    return shot.finder.look(resize(image, (width, height))).mask


def _cut_small(picture: NDArray[Any], window: Window, size: tuple[int, int], side: int) -> Frames:
    """The window cut out of a reduced picture (H, W[, 3]) of a source of ``size``.

    Reduced pictures may be a fraction of a pixel off the source's aspect; the wider axis decides.
    """
    if picture.dtype != np.uint8:
        picture = np.rint(picture * 255).astype(np.uint8)
    factor = max(picture.shape[1] / size[0], picture.shape[0] / size[1])
    small = ((window[0] + 0.5) * factor - 0.5, (window[1] + 0.5) * factor - 0.5, window[2] * factor)
    return crop_window(picture.astype(np.uint8), small, side)


def _write(
    clip: _Open,
    name: str,
    source: Source,
    size: tuple[int, int],
    writer: ClipWriter,
    *,
    partial: bool,
    shown: int,
) -> Row:
    background = None
    if clip.masks is not None and clip.shot is not None and clip.shot.finder is not None:
        scene = _cut_small(clip.shot.finder.background, clip.piece.window, size, writer.size)
        background = _background(clip.frames, clip.masks, scene)
    frames, window = clip.piece.frames, clip.piece.window
    name = writer.add(
        name,
        clip.frames,
        fps=source.fps,
        source=source.path.name,
        source_frames=frames,
        window=window,
        partial=partial,
        mask=clip.masks,
        background=background,
    )
    where = f"{source.path.name}, frames {frames[0]} to {frames[-1]}"
    when = f"{frames[0] / source.fps:.1f} to {(frames[-1] + 1) / source.fps:.1f} s"
    caption = f"{name}: {len(frames)} frames from {where} ({when}), window {window[2]:.0f} px"
    picked = np.unique(np.linspace(0, len(frames) - 1, shown).round().astype(int))
    pictures = [clip.frames[i] for i in picked]
    if clip.masks is not None and background is not None:
        pictures += [_lit(clip.frames[i], clip.masks[i]) for i in picked[:: max(1, shown // 4)]]
        pictures.append(background)
    return Row(caption, [_thumb(p) for p in pictures])


def _background(frames: Frames, masks: Frames, scene: Frames) -> Frames:
    """Median of what is not the person, at full sharpness; ``scene`` where that never shows."""
    some = np.unique(np.linspace(0, len(frames) - 1, 48).astype(int))
    values = frames[some].astype(np.float32)
    hidden = masks[some] > 40
    share = 1 - hidden.mean(axis=0, dtype=np.float32)
    values[hidden] = np.nan
    always = share == 0
    values[:, always] = 0
    median = np.nanmedian(values, axis=0)
    known = np.clip(share / 0.1, 0, 1)[..., None]
    mixed = median * known + scene * (1 - known)
    return np.rint(mixed).astype(np.uint8)


def _lit(image: Frames, mask: Frames) -> Frames:
    """The picture with everything but the person darkened."""
    return (image * (0.25 + 0.75 * (mask[..., None] / 255.0))).astype(np.uint8)


def _thumb(picture: Frames) -> Frames:
    return resize(picture, (96, 96)) if picture.shape[0] > 96 else picture
