"""Reading and writing videos through PyAV, with every frame accounted for.

A decoder stops silently at the end of a truncated file. The reader therefore compares what it got
with what the container promised and says so in a :class:`VideoReport`; frames before a damage are
kept and the video is "partial".
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from fastpose.errors import UserError

Image = NDArray[np.uint8]

# Demuxers that "recognise" almost anything, or that read other files named by the one given.
_REFUSED_FORMATS = {"tty", "concat", "hls", "dash", "applehttp", "ffmetadata"}
_ASSUMED_FPS = 25.0


@dataclass(frozen=True)
class VideoInfo:
    """What the container says about its first video stream, before anything is decoded.

    Attributes:
        path: The file.
        width, height: Size in pixels as coded, before a rotation flag is applied.
        fps: Frames per second, finite and positive; 25 where the container names none
            (``fps_known`` is then False).
        fps_known: Whether ``fps`` comes from the container.
        frames_promised: Number of frames the container promises, or None where it does not say.
        duration: Length of the stream in seconds, or None.
        codec: Name of the codec.
    """

    path: Path
    width: int
    height: int
    fps: float
    fps_known: bool
    frames_promised: int | None
    duration: float | None
    codec: str


@dataclass(frozen=True)
class VideoFrame:
    """One decoded frame.

    Attributes:
        index: Counted from 0.
        time: Seconds from the start, ``index / fps`` where the file does not say.
        image: RGB uint8 (H, W, 3), turned as the file's rotation flag asks.
        size: (width, height) that ``image`` has or, if it was scaled down on reading, would have.
    """

    index: int
    time: float
    image: Image
    size: tuple[int, int]


@dataclass(frozen=True)
class VideoReport:
    """The account of one reading: ``partial`` is True when fewer frames came than were promised,
    ``reason`` says why."""

    frames_decoded: int
    frames_promised: int | None
    partial: bool
    reason: str


class VideoReader:
    """Iterates over the frames of a video file, once or several times (each iteration starts anew).

    Args:
        path: Any file FFmpeg can read.
        threads: Decoder threads; never left to the library, so that several readers share a
            machine politely.
        max_side: Where given, frames are scaled down by swscale so that the longer side is at most
            this many pixels (an aspect-true, antialiased reduction for analysis passes).

    Raises:
        UserError: The file is missing, empty, no video, has no video stream, or (while iterating)
            has no frame at all.

    After an iteration ended, ``report`` holds its account. A damage in the middle ends the
    iteration without an exception: ``report.partial`` is the thing to look at.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, threads: int = 2, max_side: int | None = None
    ) -> None:
        self.path = Path(path)
        if threads < 1:
            raise ValueError(f"threads: expected at least 1, got {threads}")
        if max_side is not None and max_side < 2:
            raise ValueError(f"max_side: expected at least 2, got {max_side}")
        self._threads = threads
        self._max_side = max_side
        self.report: VideoReport | None = None
        with _open_container(self.path) as container:
            self.info = _describe(self.path, container)

    def __iter__(self) -> Iterator[VideoFrame]:
        self.report = None
        count, end_time, reason = 0, 0.0, ""
        tally = _Tally()
        # Decoder threads run ahead and swallow frames before a damage: after one, a second pass
        # on a single thread fetches those, and ends at about the same place on every machine.
        for threads in dict.fromkeys((self._threads, 1)):
            tally, reason = _Tally(), ""
            try:
                for index, frame in enumerate(_decode(self.path, threads, tally)):
                    if index < count:
                        continue
                    time = frame.time if frame.time is not None else count / self.info.fps
                    end_time = max(end_time, time + 1.0 / self.info.fps)
                    image, size = _to_rgb(frame, self._max_side)
                    yield VideoFrame(count, float(time), image, size)
                    count += 1
                break
            except _Damage as damage:
                reason = f"the data is damaged after frame {count}{damage}"
        self.report = self._account(count, tally.discarded, end_time, reason)
        if count == 0:
            why = self.report.reason or "it holds none"
            raise UserError(
                f"{self.path}: no frame could be decoded ({why}); copy or record the video again"
            )

    def _account(self, count: int, discarded: int, end_time: float, reason: str) -> VideoReport:
        promised, duration = self.info.frames_promised, self.info.duration
        if promised is not None:
            promised = max(promised - discarded, 0)  # an edit list hides frames on purpose
        if promised is not None and count < promised:
            shortfall = f"the container promises {promised} frames, {count} could be decoded"
            reason = f"{reason}; {shortfall}" if reason else shortfall
        length = 0.0 if promised is not None or duration is None else duration
        if not reason and length - end_time > max(0.5, 0.02 * length):
            # No frame count (Matroska, WebM): a file cut short shows in its length.
            reason = f"the container promises {length:.2f} s, {end_time:.2f} s could be decoded"
        return VideoReport(count, promised, bool(reason), reason)


class VideoWriter:
    """Writes RGB frames as an H.264 (yuv420p) MP4; the file appears under its name only when
    complete.

    Args:
        path: Output file, ending in ``.mp4``; its folder must exist.
        fps: Frames per second, finite and positive.
        size: (width, height) in pixels of the frames to come. Odd sizes are padded by one
        replicated row or column.
        quality: x264 constant rate factor, 0 (lossless) to 51.
        preset: x264's trade of time for size, "ultrafast" to "veryslow".

    Use as a context manager: leaving it normally finishes the file, leaving it by an exception
    removes every trace.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        fps: float,
        size: tuple[int, int],
        *,
        quality: int = 18,
        preset: str = "medium",
        threads: int = 2,
    ) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() != ".mp4":
            raise UserError(
                f"{self.path}: videos are written as MP4; give a name that ends in .mp4"
            )
        if not self.path.parent.is_dir():
            raise UserError(
                f"{self.path}: the folder {self.path.parent} does not exist; create it first"
            )
        if not (math.isfinite(fps) and fps > 0):
            raise ValueError(f"fps: expected a positive finite number, got {fps}")
        width, height = size
        if width < 1 or height < 1:
            raise ValueError(f"size: expected positive width and height, got {size}")
        self.size = (width, height)
        self.frames = 0
        self._temporary = self.path.with_name(f".{self.path.stem}.tmp-{os.getpid()}.mp4")
        self._container: Any = av.open(
            str(self._temporary), "w", options={"movflags": "+faststart"}
        )
        self._stream: Any = self._container.add_stream(
            "libx264",
            rate=Fraction(fps).limit_denominator(10_000),
            options={"crf": str(quality), "preset": preset},
        )
        self._stream.width, self._stream.height = width + width % 2, height + height % 2
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.thread_count = threads

    def add(self, image: Image) -> None:
        """Appends one frame, RGB uint8 (H, W, 3) of exactly the size given at the start."""
        width, height = self.size
        if image.shape != (height, width, 3) or image.dtype != np.uint8:
            raise ValueError(
                f"image: expected uint8 ({height}, {width}, 3), got {image.dtype} {image.shape}"
            )
        if width % 2 or height % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        for packet in self._stream.encode(frame):
            self._container.mux(packet)
        self.frames += 1

    def close(self) -> None:
        """Finishes the file and gives it its name. Raises UserError where no frame was added."""
        if self.frames == 0:
            self.discard()
            raise UserError(f"{self.path}: there is no frame to write")
        for packet in self._stream.encode(None):
            self._container.mux(packet)
        self._container.close()
        os.replace(self._temporary, self.path)

    def discard(self) -> None:
        """Gives the file up and leaves nothing behind."""
        try:
            self._container.close()
        finally:
            self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()


class _Damage(Exception):
    """Decoding cannot go on; carries a short cause in brackets, or nothing."""


@dataclass
class _Tally:
    discarded: int = 0


def _decode(path: Path, threads: int, tally: _Tally) -> Iterator[Any]:
    """Yields the decoded frames before the first damage; then raises _Damage."""
    with _open_container(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = threads
        # Without "explode" damaged slices are painted over and come out as frames nobody filmed.
        stream.codec_context.options = {"err_detect": "explode"}
        packets = container.demux(stream)
        while True:
            packet = None
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                if packet.is_corrupt and packet.size:
                    raise _Damage
                tally.discarded += bool(packet.is_discard)
                frames = packet.decode()
            except (FFmpegError, ValueError, _Damage) as error:
                yield from _drain(stream, None if packet is None else packet.pts)
                raise _Damage("" if isinstance(error, _Damage) else f" ({_short(error)})") from None
            for frame in frames:
                if frame.is_corrupt:
                    raise _Damage
                yield frame


def _drain(stream: Any, damaged_pts: int | None) -> Iterator[Any]:
    """What the decoder still holds back for reordering and that is shown before the damage."""
    try:
        waiting = stream.codec_context.decode(None)
    except (FFmpegError, ValueError):
        return
    for frame in waiting:
        if frame.is_corrupt or damaged_pts is None or frame.pts is None or frame.pts >= damaged_pts:
            return
        yield frame


def _open_container(path: Path) -> Any:
    if not path.exists():
        raise UserError(f"{path}: no such file; check the path")
    if not path.is_file():
        raise UserError(f"{path}: is a folder, expected a video file")
    if path.stat().st_size == 0:
        raise UserError(f"{path}: the file is empty (0 bytes); copy or record it again")
    # "file" alone: a play list inside the file must not make us open addresses on the network.
    options = {"protocol_whitelist": "file"}
    try:
        container = av.open(str(path), options=options, metadata_errors="replace")
    except PermissionError:
        raise UserError(f"{path}: may not be read; check its permissions") from None
    except (FFmpegError, ValueError) as error:
        raise UserError(
            f"{path}: is not a readable video ({_short(error)}); expected a file that "
            "FFmpeg can open, copy it again or convert it with ffmpeg"
        ) from None
    names = set(container.format.name.split(","))
    if names & _REFUSED_FORMATS:
        container.close()
        raise UserError(
            f"{path}: is not a video (it reads as {container.format.name}); give a video file"
        )
    if not container.streams.video:
        kinds = ", ".join(sorted({s.type for s in container.streams})) or "no stream"
        container.close()
        raise UserError(f"{path}: has no video stream (only {kinds}); give a file with pictures")
    return container


def _describe(path: Path, container: Any) -> VideoInfo:
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise UserError(f"{path}: its video codec is unknown to FFmpeg; convert it with ffmpeg")
    fps = next(
        (float(r) for r in (stream.average_rate, stream.guessed_rate) if r and 0 < float(r) < 1000),
        None,
    )
    return VideoInfo(
        path=path,
        width=stream.codec_context.width,
        height=stream.codec_context.height,
        fps=fps or _ASSUMED_FPS,
        fps_known=fps is not None,
        frames_promised=stream.frames or None,
        duration=_duration(container, stream),
        codec=stream.codec_context.name,
    )


def _duration(container: Any, stream: Any) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    tag = stream.metadata.get(
        "DURATION"
    )  # Matroska keeps the length of one track in a tag, "00:00:10.033"
    if tag:
        try:
            hours, minutes, seconds = tag.split(":")
            return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
        except ValueError:
            return None
    if container.duration and len(container.streams) == 1:
        return container.duration / av.time_base
    return None


def _to_rgb(frame: Any, max_side: int | None) -> tuple[Image, tuple[int, int]]:
    width, height = frame.width, frame.height
    quarter_turns = round(frame.rotation / 90) % 4  # counter-clockwise, as numpy turns
    size = (height, width) if quarter_turns % 2 else (width, height)
    if max_side is not None and max(width, height) > max_side:
        scale = max_side / max(width, height)
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
        image = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation="AREA")
    else:
        image = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(image, quarter_turns)) if quarter_turns else image, size


def _short(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(text.split())[:80]
