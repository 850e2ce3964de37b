"""What `predict` reads: videos, pictures, folders and glob patterns, as numbered frames."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from fastpose.data.prepare.sources import VIDEO_SUFFIXES, natural_key
from fastpose.errors import UserError
from fastpose.files import is_leftover
from fastpose.media.images import IMAGE_SUFFIXES, read_image
from fastpose.media.video import VideoReader, VideoReport

PICTURE_SUFFIXES = IMAGE_SUFFIXES - VIDEO_SUFFIXES


@dataclass(frozen=True)
class Frame:
    """One frame as it came in.

    Attributes:
        source: the file it comes from.
        index: its number in the source, from 0.
        time: seconds from the start of the video; None for pictures.
        image: uint8 (H, W, 3) RGB, or None where it could not be read; then `reason` says why.
    """

    source: str
    index: int
    time: float | None
    image: np.ndarray | None
    reason: str = ""


class Source(Protocol):
    """A numbered sequence of frames.

    Attributes:
        name: the file or folder, for people.
        is_video: whether the frames follow each other in time.
        expected: number of frames promised, or None where that is unknown.
    """

    name: str
    is_video: bool
    expected: int | None

    def __iter__(self) -> Iterator[Frame]: ...

    @property
    def shortfall(self) -> str:
        """After an iteration: why frames are missing at the end, or an empty string."""
        ...


class VideoSource:
    """A video file; a damage ends the iteration and is named by `shortfall`.

    Attributes:
        size: (width, height) in pixels as coded.
        fps: frames per second.

    Raises:
        UserError: missing, empty, or nothing that can be opened as a video.
    """

    is_video = True

    def __init__(self, path: str | Path, *, threads: int = 1) -> None:
        self.name = str(path)
        self._reader = VideoReader(path, threads=threads)
        self.fps = self._reader.info.fps
        self.size = (self._reader.info.width, self._reader.info.height)
        self.expected = self._reader.info.frames_promised
        self._hollow = ""

    def __iter__(self) -> Iterator[Frame]:
        try:
            for frame in self._reader:
                yield Frame(self.name, frame.index, frame.time, frame.image)
        except UserError as error:  # not one frame: a shortfall like any other
            self._hollow = str(error)

    @property
    def shortfall(self) -> str:
        """See `Source.shortfall`."""
        report: VideoReport | None = self._reader.report
        if self._hollow:
            return self._hollow
        return report.reason if report is not None and report.partial else ""


class PictureSource:
    """Pictures in the order given; one that cannot be read is a frame without an image."""

    is_video = False
    shortfall = ""

    def __init__(self, paths: Sequence[str | Path], name: str) -> None:
        self.name = name
        self.paths = tuple(Path(p) for p in paths)
        self.expected: int | None = len(self.paths)

    def __iter__(self) -> Iterator[Frame]:
        for index, path in enumerate(self.paths):
            try:
                yield Frame(str(path), index, None, read_image(path))
            except UserError as error:
                yield Frame(str(path), index, None, None, str(error))


def find_sources(arguments: Sequence[str]) -> list[VideoSource | PictureSource]:
    """The sources that command-line arguments name, each opened far enough to know it is one.

    A folder gives the pictures directly in it as one source, in natural order (2 before 10), and
    each video in it; a pattern with ``*``, ``?`` or ``[`` gives what it matches; loose pictures
    together are one source.

    Raises:
        UserError: no argument, nothing there, an empty folder, or a file that is no video.
    """
    if not arguments:
        raise UserError("no source given; name a picture, a video, a folder or a pattern")
    sources: list[VideoSource | PictureSource] = []
    loose: list[Path] = []
    for argument in arguments:
        for path in _expand(argument):
            if path.is_dir():
                sources.extend(_folder(path))
            elif path.suffix.lower() in PICTURE_SUFFIXES:
                loose.append(path)
            else:
                sources.append(VideoSource(path))
    if loose:
        sources.append(PictureSource(loose, str(loose[0]) if len(loose) == 1 else "pictures"))
    return sources


def _expand(argument: str) -> list[Path]:
    path = Path(argument)
    if path.exists():
        return [path]
    if any(sign in argument for sign in "*?["):
        found = sorted(map(Path, glob.glob(argument, recursive=True)), key=natural_key)
        # Of a pattern's matches, folders and files of other kinds are not meant.
        usable = [p for p in found if p.suffix.lower() in IMAGE_SUFFIXES | VIDEO_SUFFIXES]
        if not usable:
            raise UserError(f"{argument}: the pattern matches no picture and no video")
        return usable
    raise UserError(f"{argument}: no such file; check the path")


def _folder(folder: Path) -> list[VideoSource | PictureSource]:
    try:
        found = [Path(entry.path) for entry in os.scandir(folder)]
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({error.strerror})") from None
    files = sorted((p for p in found if not is_leftover(p)), key=natural_key)
    pictures = [p for p in files if p.suffix.lower() in PICTURE_SUFFIXES and p.is_file()]
    videos = [p for p in files if p.suffix.lower() in VIDEO_SUFFIXES and p.is_file()]
    if not pictures and not videos:
        raise UserError(f"{folder}: the folder holds no picture and no video")
    sources: list[VideoSource | PictureSource] = [VideoSource(p) for p in videos]
    if pictures:
        sources.append(PictureSource(pictures, str(folder)))
    return sources
