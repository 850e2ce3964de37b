"""Windows planned before the detector runs: around moving people, or around boxes from a file.

The people are found, and the windows laid around them, by the very code that prepares clips for
training, so that the detector sees people framed as it has learned them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from fastpose.data.prepare import sources as prepared
from fastpose.data.prepare.analysis import analyze
from fastpose.data.prepare.boxes import BoxFile
from fastpose.data.prepare.pieces import follow_track
from fastpose.errors import UserError
from fastpose.inference.crop import CropMode, Cropper, FollowCrop, FullCrop, PlannedCrop
from fastpose.inference.frames import Window
from fastpose.inference.metadata import ModelInfo
from fastpose.inference.sources import PictureSource, VideoSource
from fastpose.media.person import Track

Progress = Callable[[int], None]

_PICTURES_FPS = 25.0  # of pictures that are taken for a film
_CROP = 2  # model sizes; a square video of at most that side is taken whole by `auto`
_FLICKER = 5  # frames; what is seen for less is nobody
_SMALLEST = 0.1  # of the frame's height; what is less high is nobody worth a window
_BRIDGED = 1.0  # seconds without a sight of the person after which the window is given up


def make_cropper(
    source: VideoSource | PictureSource,
    mode: CropMode,
    boxes: BoxFile | None,
    info: ModelInfo,
    *,
    progress: Progress | None = None,
) -> Cropper:
    """The cropper for one source.

    Args:
        boxes: takes the place of `mode`.
        info: of the detector; `FollowCrop` uses its framing.
        progress: called with the number of frames looked at, twice over, while people are sought.

    Raises:
        UserError: no moving person where ``motion`` asks for one, no box for this source.
    """
    if boxes is not None:
        return PlannedCrop("boxes", windows_from_boxes(source, boxes))
    if mode == "follow":
        return FollowCrop(info.framing)
    if mode == "motion":
        motion = motion_crop(source, progress)
        if not motion.windows:
            raise UserError(
                f"{source.name}: nobody moves before a fixed camera; use --crop full, "
                "--crop follow or --boxes"
            )
        return motion
    if mode == "auto" and isinstance(source, VideoSource) and not _is_crop(source, info):
        try:
            motion = motion_crop(source, progress)
        except UserError:  # too small or too damaged to look for people; the run itself will tell
            return FullCrop()
        if motion.windows:
            return motion
    return FullCrop()


def motion_crop(
    source: VideoSource | PictureSource, progress: Progress | None = None
) -> PlannedCrop:
    """Windows around whoever is seen longest and largest; none where nobody moves.

    A change of the picture's size ends the plan.

    Raises:
        UserError: the frames cannot be read, are too small, or (pictures) differ in size.
    """
    if isinstance(source, VideoSource):
        film: prepared.Source = prepared.VideoSource(Path(source.name))
    else:
        film = prepared.FolderSource(Path(source.name), source.paths, _PICTURES_FPS)
    show = progress or (lambda done: None)
    analysis = analyze(film, stays=None, follow=True, progress=show)
    if film.report is not None and film.report.partial and isinstance(source, PictureSource):
        raise UserError(f"{source.name}: cannot be taken for a film, {film.report.reason}")
    windows: dict[int, Window] = {}
    for shot in analysis.shots:
        people = [t for t in shot.tracks if _is_person(t, analysis.height)]
        windows |= _bridge(_windows_of(people), round(_BRIDGED * film.fps), shot.last)
    return PlannedCrop("motion", windows, planned=analysis.frames)


def windows_from_boxes(source: VideoSource | PictureSource, boxes: BoxFile) -> dict[int, Window]:
    """Frame number -> window around the boxes of a source, which is named as for `prepare`.

    Pictures may also be named one by one, each with the frame 0.

    Raises:
        UserError: the file has no box for this source.
    """
    windows = _windows_of(boxes.tracks(Path(source.name)))
    if not windows and isinstance(source, PictureSource):
        for index, path in enumerate(source.paths):
            alone = _windows_of(boxes.tracks(path))
            if 0 in alone:
                windows[index] = alone[0]
    if not windows:
        raise UserError(f"{boxes.path}: has no box for '{Path(source.name).name}'")
    return windows


def _is_crop(source: VideoSource, info: ModelInfo) -> bool:
    """Whether a video looks like one that was cut around a person already."""
    width, height = source.size
    return width == height <= _CROP * info.image_size


def _is_person(track: Track, height: int) -> bool:
    tall = max(box[3] - box[1] for box in track.boxes)
    return len(track.frames) >= _FLICKER and tall >= _SMALLEST * height


def _windows_of(tracks: Sequence[Track]) -> dict[int, Window]:
    """One window a frame: of several people the one with the larger sum of areas wins."""
    windows: dict[int, Window] = {}
    for track in sorted(tracks, key=lambda t: -sum(t.areas)):
        for piece in follow_track(track):
            for frame in piece.frames:
                windows.setdefault(frame, piece.window)
    return windows


def _bridge(windows: dict[int, Window], longest: int, last: int) -> dict[int, Window]:
    """The same, each gap of at most `longest` frames closed by the window before it."""
    out = dict(windows)
    for here, following in pairwise([*sorted(windows), last + 1]):
        if following - here - 1 <= longest:
            out |= dict.fromkeys(range(here + 1, following), windows[here])
    return out
