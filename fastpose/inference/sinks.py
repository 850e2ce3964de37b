"""Where poses go: JSON lines, CSV, an overlay video, overlay pictures."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Protocol

import numpy as np

from fastpose.inference.frames import FramePose
from fastpose.media.drawing import draw_skeleton, draw_text
from fastpose.media.images import resize, write_image
from fastpose.media.video import VideoWriter
from fastpose.skeletons import Skeleton

MIN_OVERLAY_SIDE = 320  # pixels; smaller frames are enlarged, a skeleton on 64 pixels is a smear


class Sink(Protocol):
    """Takes every frame in order; `finish` completes the output, `discard` gives it up."""

    def write(self, pose: FramePose) -> None: ...

    def finish(self) -> None: ...

    def discard(self) -> None: ...


class JsonLinesSink:
    """One JSON object a line and frame.

    ::

        {"source": "a.mp4", "frame": 0, "time": 0.0, "status": "ok", "window": [x0, y0, side],
         "keypoints": {"pelvis": [x, y, confidence], ...}}

    Pixels of the frame that came in. Without an answer, ``window`` and ``keypoints`` are null, and
    a failed frame has a ``reason``.
    """

    def __init__(self, path: Path, skeleton: Skeleton) -> None:
        self._joints = skeleton.joints
        self._file = open(path, "w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115 - closed in finish or discard

    def write(self, pose: FramePose) -> None:
        """See `Sink`."""
        record: dict[str, object] = {
            "source": pose.source,
            "frame": pose.index,
            "time": None if pose.time is None else round(pose.time, 6),
            "status": pose.status,
            "window": None if pose.window is None else [round(v, 3) for v in pose.window],
            "keypoints": None,
        }
        if pose.reason:
            record["reason"] = pose.reason
        if pose.points is not None:
            record["keypoints"] = dict(zip(self._joints, _rows(pose), strict=True))
        self._file.write(json.dumps(record, ensure_ascii=False) + "\n")

    def finish(self) -> None:
        """See `Sink`."""
        self._file.close()

    discard = finish


class CsvSink:
    """One row a frame: source, frame, time, status, then x, y and confidence of every joint."""

    def __init__(self, path: Path, skeleton: Skeleton) -> None:
        self._file = open(path, "w", encoding="utf-8", errors="backslashreplace", newline="")  # noqa: SIM115 - see finish
        self._writer = csv.writer(self._file)
        self._empty = [""] * (3 * len(skeleton.joints))
        columns = [f"{j}_{part}" for j in skeleton.joints for part in ("x", "y", "confidence")]
        self._writer.writerow(["source", "frame", "time", "status", *columns])

    def write(self, pose: FramePose) -> None:
        """See `Sink`."""
        time = "" if pose.time is None else f"{pose.time:.6f}"
        if pose.points is None:
            values: list[object] = list(self._empty)
        else:
            values = [value for row in _rows(pose) for value in row]
        self._writer.writerow([pose.source, pose.index, time, pose.status, *values])

    def finish(self) -> None:
        """See `Sink`."""
        self._file.close()

    discard = finish


class OverlayVideoSink:
    """The frames with the skeleton on top, as many as came in, at the video's frame rate."""

    def __init__(self, path: Path, skeleton: Skeleton, fps: float) -> None:
        self._path, self._skeleton, self._fps = path, skeleton, fps
        self._writer: VideoWriter | None = None

    def write(self, pose: FramePose) -> None:
        """See `Sink`."""
        picture = draw_pose(pose, self._skeleton)
        if picture is None:
            return
        if self._writer is None:
            size = (picture.shape[1], picture.shape[0])
            self._writer = VideoWriter(
                self._path, self._fps, size, quality=20, preset="veryfast", threads=1
            )
        self._writer.add(_fit(picture, self._writer.size))

    def finish(self) -> None:
        """See `Sink`."""
        if self._writer is not None:
            self._writer.close()

    def discard(self) -> None:
        """See `Sink`."""
        if self._writer is not None:
            self._writer.discard()


class OverlayPictureSink:
    """A picture for each that came in, in `folder`: PNG, or JPEG where the source is one."""

    def __init__(self, folder: Path, skeleton: Skeleton) -> None:
        self._folder, self._skeleton = folder, skeleton
        self._names: set[str] = set()

    def write(self, pose: FramePose) -> None:
        """See `Sink`."""
        picture = draw_pose(pose, self._skeleton)
        if picture is None:
            return
        self._folder.mkdir(exist_ok=True)
        path = Path(pose.source)
        suffix = ".jpg" if path.suffix.lower() in (".jpg", ".jpeg") else ".png"
        name = unique_name(path.stem, self._names)
        write_image(self._folder / f"{name}{suffix}", picture)

    def finish(self) -> None:
        """See `Sink`."""

    discard = finish


def draw_pose(pose: FramePose, skeleton: Skeleton) -> np.ndarray | None:
    """The frame with its skeleton, or with its status where there is none; None without a frame.

    Small frames are enlarged by a whole factor, to a longer side of at least `MIN_OVERLAY_SIDE`.
    """
    if pose.image is None:
        return None
    height, width = pose.image.shape[:2]
    factor = max(1, -(-MIN_OVERLAY_SIDE // max(height, width)))
    picture = resize(pose.image, (width * factor, height * factor))
    if pose.points is None:
        return draw_text(picture, pose.status, (6, 4), size=14, background=(255, 255, 255))
    return draw_skeleton(picture, (pose.points + 0.5) * factor - 0.5, skeleton)


def unique_name(wanted: str, taken: set[str]) -> str:
    """`wanted`, or with the first free number behind it; added to `taken`."""
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    taken.add(name)
    return name


def _rows(pose: FramePose) -> list[list[float]]:
    """x, y and confidence of every joint, to a thousandth of a pixel."""
    assert pose.points is not None and pose.confidence is not None
    rows = np.concatenate((pose.points, pose.confidence[:, None]), axis=1)
    return np.round(rows.astype(np.float64), 3).tolist()


def _fit(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`picture` inside black borders where its size is not that of the video's first frame."""
    height, width = picture.shape[:2]
    if (width, height) == size:
        return picture
    scale = min(size[0] / width, size[1] / height)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    out = np.zeros((size[1], size[0], 3), np.uint8)
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    out[top : top + inner[1], left : left + inner[0]] = resize(picture, inner)
    return out
