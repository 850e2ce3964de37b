"""What `prepare` reads: videos, folders of frames, and strips of square frames side by side.

All three are iterated over alike, several times if need be, and account for every frame.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fastpose.errors import UserError
from fastpose.files import listed
from fastpose.media.images import IMAGE_SUFFIXES, image_size, read_image, resize
from fastpose.media.video import VideoFrame, VideoReader, VideoReport

Layout = Literal["auto", "videos", "frames", "strips"]

VIDEO_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("mp4", "m4v", "mov", "avi", "mkv", "webm", "mpg", "mpeg"),
        *("wmv", "flv", "ts", "mts", "m2ts", "3gp", "ogv", "gif"),
    )
)
_SMALLEST = 16  # pixels: below, nobody is recognisable
_STRIP_FRAMES = 4  # a picture is taken for a strip from so many squares on


class Source:
    """One recording. Subclasses yield its frames in order.

    Attributes:
        path: The file or folder.
        name: Unique among the sources of a run; clips are named after it.
        fps: Frames per second.
        report: The account of the last complete iteration, or None.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path, self.name, self.fps = path, path.stem if path.is_file() else path.name, fps
        self.report: VideoReport | None = None

    @property
    def length(self) -> int | None:
        """Number of frames, where it is known beforehand."""
        raise NotImplementedError

    def frames(self, max_side: int | None = None) -> Iterator[VideoFrame]:
        """Yields all frames, scaled down to ``max_side`` where given; then sets ``report``."""
        raise NotImplementedError


class VideoSource(Source):
    """A video file; a change of the picture's size ends it, since a window cannot follow."""

    def __init__(self, path: Path, fps: float | None = None) -> None:
        self._reader = VideoReader(path)
        super().__init__(path, fps or self._reader.info.fps)

    @property
    def length(self) -> int | None:
        return self._reader.info.frames_promised

    def frames(self, max_side: int | None = None) -> Iterator[VideoFrame]:
        reader = VideoReader(self.path, max_side=max_side)
        size = None
        for frame in reader:
            if size is None:
                size = _check_size(self.path, frame.size)
            if frame.size != size:
                reason = f"the picture's size changes after frame {frame.index}"
                self.report = VideoReport(frame.index, self.length, True, reason)
                return
            yield frame
        self.report = reader.report


class FolderSource(Source):
    """The pictures of a folder, in the order of the numbers in their names."""

    def __init__(self, path: Path, files: Sequence[Path], fps: float) -> None:
        super().__init__(path, fps)
        self._files = list(files)

    @property
    def length(self) -> int | None:
        return len(self._files)

    def frames(self, max_side: int | None = None) -> Iterator[VideoFrame]:
        size, count, reason = None, 0, ""
        for count, file in enumerate(self._files):
            try:
                image = read_image(file)
            except UserError as error:
                if count == 0:
                    raise
                reason = f"damaged after frame {count} ({error})"
                break
            here = (image.shape[1], image.shape[0])
            if size is None:
                size = _check_size(file, here)
            if here != size:
                reason = (
                    f"{file.name} is {here[0]} x {here[1]} pixels, the frames before it are "
                    f"{size[0]} x {size[1]}"
                )
                break
            yield VideoFrame(count, count / self.fps, _shrink(image, max_side), size)
        else:
            count = len(self._files)
        self.report = VideoReport(count, len(self._files), bool(reason), reason)


class StripSource(Source):
    """One picture S pixels high that holds n frames of S x S side by side."""

    def __init__(self, path: Path, fps: float) -> None:
        super().__init__(path, fps)
        width, height = image_size(path)
        if height < _SMALLEST or width % height:
            raise UserError(
                f"{path}: {width} x {height} pixels are no strip of square frames; expected a "
                f"width that is a multiple of the height, at least {_SMALLEST} pixels high"
            )
        self._count = width // height

    @property
    def length(self) -> int | None:
        return self._count

    def frames(self, max_side: int | None = None) -> Iterator[VideoFrame]:
        strip = read_image(self.path)
        side = strip.shape[0]
        for i in range(self._count):
            image = np.ascontiguousarray(strip[:, i * side : (i + 1) * side])
            yield VideoFrame(i, i / self.fps, _shrink(image, max_side), (side, side))
        self.report = VideoReport(self._count, self._count, False, "")


@dataclass(frozen=True)
class Unreadable:
    """A source that could not even be opened, and why."""

    path: Path
    error: UserError


def find_sources(
    paths: Sequence[str | os.PathLike[str]], *, layout: Layout = "auto", fps: float | None = None
) -> list[Source | Unreadable]:
    """Everything to prepare under ``paths``, in a stable order and with unique names.

    A file is a video or, if it is a picture, a strip. A folder gives its videos, its strips or (if
    its pictures are no strips) itself as one folder of frames, and then its sub-folders likewise.

    Args:
        paths: Files and folders.
        layout: Reads folders as holding one kind only, instead of looking.
        fps: Rate of pictures, which know none (25 if not given); overrides that of videos.

    Raises:
        UserError: A path does not exist, or holds nothing that can be read.
    """
    found: list[Source | Unreadable] = []
    if not paths:
        raise UserError("nothing to prepare: name videos, folders of frames, or strips of frames")
    for given in paths:
        path = Path(given)
        if not path.exists():
            raise UserError(f"{path}: no such file or folder; check the path")
        several = _from_folder(path, layout, fps) if path.is_dir() else [_open(path, layout, fps)]
        if not several:
            wanted = "videos or pictures" if layout == "auto" else layout
            raise UserError(f"{path}: the folder holds no {wanted}; name one that does")
        found += several
    _name_apart([s for s in found if isinstance(s, Source)])
    return found


def _from_folder(folder: Path, layout: Layout, fps: float | None) -> list[Source | Unreadable]:
    entries = sorted(listed(folder), key=natural_key)
    files = [p for p in entries if p.is_file()]
    pictures = [p for p in files if p.suffix.lower() in IMAGE_SUFFIXES]
    videos = [p for p in files if p.suffix.lower() in VIDEO_SUFFIXES and p not in pictures]
    found: list[Source | Unreadable] = []
    if layout in ("auto", "videos"):
        found += [_open(p, "videos", fps) for p in videos]
    if pictures and (layout == "strips" or (layout == "auto" and _are_strips(pictures))):
        found += [_open(p, "strips", fps) for p in pictures]
    elif pictures and layout in ("auto", "frames"):
        found.append(FolderSource(folder, pictures, fps or 25.0))
    for sub in entries:
        if sub.is_dir():
            found += _from_folder(sub, layout, fps)
    return found


def _open(path: Path, layout: Layout, fps: float | None) -> Source | Unreadable:
    picture = path.suffix.lower() in IMAGE_SUFFIXES and path.suffix.lower() not in VIDEO_SUFFIXES
    try:
        if layout == "strips" or (layout == "auto" and picture):
            return StripSource(path, fps or 25.0)
        if layout == "frames":
            return FolderSource(path, [path], fps or 25.0)
        return VideoSource(path, fps)
    except UserError as error:
        return Unreadable(path, error)


def _are_strips(pictures: Sequence[Path]) -> bool:
    for path in pictures[:: max(1, len(pictures) // 16)]:
        try:
            width, height = image_size(path)
        except UserError:
            continue
        if width % height or width < _STRIP_FRAMES * height:
            return False
    return True


def _name_apart(sources: Sequence[Source]) -> None:
    """Adds the parent folder's name, then a number, where stems coincide."""
    for rename in (
        lambda s, n: f"{s.path.resolve().parent.name}_{s.name}",
        lambda s, n: f"{s.name}-{n}",
    ):
        groups: dict[str, list[Source]] = {}
        for source in sources:
            groups.setdefault(source.name, []).append(source)
        for group in groups.values():
            for number, source in enumerate(group if len(group) > 1 else [], start=1):
                source.name = rename(source, number)


def natural_key(path: Path) -> tuple[tuple[int, int, str], ...]:
    """Sorts ``frame9`` before ``frame10``."""
    parts = re.split(r"(\d+)", path.name)
    return tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in parts if p)


def _check_size(path: Path, size: tuple[int, int]) -> tuple[int, int]:
    if min(size) < _SMALLEST:
        raise UserError(
            f"{path}: pictures of {size[0]} x {size[1]} pixels are too small to show a person; "
            f"at least {_SMALLEST} x {_SMALLEST} are needed"
        )
    return size


def _shrink(image: NDArray[np.uint8], max_side: int | None) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    if max_side is None or max(height, width) <= max_side:
        return image
    scale = max_side / max(height, width)
    return resize(image, (max(1, round(width * scale)), max(1, round(height * scale))))
