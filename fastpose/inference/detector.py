"""The public detector: pictures or a video in, poses in pixels of what came in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from fastpose.data.prepare.boxes import BoxFile
from fastpose.errors import UserError
from fastpose.inference.crop import CropMode
from fastpose.inference.frames import FramePose
from fastpose.inference.metadata import ModelInfo
from fastpose.inference.people import make_cropper
from fastpose.inference.runtimes import Runtime, open_runtime
from fastpose.inference.smoothing import OneEuroFilter, SmoothingConfig
from fastpose.inference.sources import VideoSource
from fastpose.inference.stream import PoseStream
from fastpose.inference.windows import crop_to_frame, full_window
from fastpose.media.images import crop_window, read_image
from fastpose.poses import Poses
from fastpose.skeletons import Skeleton

Picture = np.ndarray | str | Path
BATCH = 8


class Detector:
    """One loaded model; `fastpose.load` makes it.

    Attributes:
        runtime: what executes it.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    @property
    def info(self) -> ModelInfo:
        """Skeleton, input size, and origin of the weights."""
        return self.runtime.info

    @property
    def skeleton(self) -> Skeleton:
        """The K joints."""
        return self.info.skeleton

    def predict(
        self,
        images: Picture | Sequence[Picture],
        *,
        windows: np.ndarray | Sequence[Sequence[float]] | None = None,
    ) -> Poses:
        """The pose of the one person in each picture.

        Args:
            images: one picture or several: uint8 (H, W, 3) RGB, (B, H, W, 3), a path, or a list of
                these in any mixture and of any sizes.
            windows: (B, 3), the square (x0, y0, side) in pixels to look at in each picture, the
                person filling it as in training; corners as in `fastpose.inference.windows`.
                None takes the whole picture, padded to a square.

        Returns:
            `Poses` with B rows, in pixels of each picture.

        Raises:
            UserError: a path that cannot be read as a picture.
            TypeError, ValueError: not uint8, or a shape or window that makes no sense.
        """
        pictures = _pictures(images)
        if windows is None:
            chosen = np.array([full_window(*p.shape[:2]) for p in pictures]).reshape(-1, 3)
        else:
            chosen = np.asarray(windows, np.float64)
            if chosen.shape != (len(pictures), 3):
                raise ValueError(
                    f"windows: expected shape ({len(pictures)}, 3), one (x0, y0, side) a picture, "
                    f"got {chosen.shape}"
                )
        size = self.info.image_size
        count = len(self.skeleton.joints)
        points = [np.zeros((0, count, 2), np.float32)]
        confidence = [np.zeros((0, count), np.float32)]
        for start in range(0, len(pictures), BATCH):
            part = slice(start, start + BATCH)
            crops = [
                crop_window(p, tuple(w), size)
                for p, w in zip(pictures[part], chosen[part], strict=True)
            ]
            found, sure = self.runtime.run(np.stack(crops))
            points.append(crop_to_frame(found, chosen[part], size))
            confidence.append(sure)
        return Poses(np.concatenate(points), np.concatenate(confidence), self.skeleton)

    def video(
        self,
        path: str | Path,
        *,
        crop: CropMode = "auto",
        boxes: str | Path | None = None,
        smooth: bool | SmoothingConfig = False,
        batch: int = BATCH,
    ) -> Iterator[FramePose]:
        """The poses of a video, one for every frame, in order.

        Args:
            crop: how the person is found, see `fastpose.inference.crop`.
            boxes: a file of boxes that takes the place of `crop`.
            smooth: the One-Euro filter; it calms the joints and makes them late.
            batch: frames per call of the model.

        Raises:
            UserError: the file cannot be read; or, after the last good frame was given, it is
                damaged or cut short: a loop over a damaged video never ends as if all were well.
        """
        source = VideoSource(path)
        given = None if boxes is None else BoxFile(boxes)
        cropper = make_cropper(source, crop, given, self.info)
        stream = PoseStream(
            source, self.runtime, cropper, batch=batch, smoother=make_smoother(smooth)
        )
        return _watch(stream)


def _watch(stream: PoseStream) -> Iterator[FramePose]:
    yield from stream
    if stream.shortfall and stream.received == 0:
        raise UserError(stream.shortfall)
    if stream.shortfall:
        raise UserError(
            f"{stream.source.name}: {stream.received} frames were read, then {stream.shortfall}"
        )


def make_smoother(smooth: bool | SmoothingConfig) -> OneEuroFilter | None:
    """A fresh filter, or None where `smooth` is False."""
    if smooth is False:
        return None
    return OneEuroFilter(None if smooth is True else smooth)


def load(path: str | Path, *, threads: int | None = None) -> Detector:
    """Load a detector.

    Args:
        path: a ``model.onnx`` from ``fastpose export`` (never imports torch), or the directory of a
            training run or checkpoint (runs on torch).
        threads: CPU threads; None takes every core this process may use.

    Raises:
        UserError: nothing there, or nothing that holds a detector.
    """
    return Detector(open_runtime(path, threads=threads))


def _pictures(images: Picture | Sequence[Picture]) -> list[np.ndarray]:
    if isinstance(images, (str, Path)):
        return [read_image(images)]
    if isinstance(images, np.ndarray) and images.ndim == 3:
        return [_checked(images)]
    if isinstance(images, (np.ndarray, Sequence)):
        return [read_image(i) if isinstance(i, (str, Path)) else _checked(i) for i in images]
    raise TypeError(
        f"images: expected an array, a path or a list of them, got {type(images).__name__}"
    )


def _checked(image: object) -> np.ndarray:
    if not isinstance(image, np.ndarray):
        raise TypeError(f"images: expected arrays or paths, got {type(image).__name__}")
    if image.dtype != np.uint8:
        raise TypeError(f"images: expected uint8, 0 to 255, got {image.dtype}")
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"images: expected shape (H, W, 3) RGB, got {image.shape}")
    return image
