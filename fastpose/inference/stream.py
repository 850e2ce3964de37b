"""Frames in, poses out: read ahead, crop, detect in batches, smooth, and count everything."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from fastpose.errors import UserError
from fastpose.inference.crop import Cropper
from fastpose.inference.frames import FramePose
from fastpose.inference.runtimes import Runtime
from fastpose.inference.smoothing import OneEuroFilter
from fastpose.inference.sources import Frame, Source
from fastpose.inference.threads import ReadAhead
from fastpose.inference.windows import crop_to_frame
from fastpose.media.images import crop_window

READ_AHEAD = 8  # frames; bounds the memory to a few batches of frames


class PoseStream:
    """The poses of one source, frame by frame. Iterate once; the counts then hold.

    Args:
        source: where the frames come from; read in a thread of its own.
        runtime: the detector.
        cropper: chooses the windows; one that looks back forces batches of one.
        batch: frames per call of the detector, at least 1.
        smoother: filter for the joints, or None. Only for frames that have a time.

    Attributes:
        received, processed, failed: frames; received = processed + failed, always.
        without_person: processed frames in which nobody was looked for.
        model_seconds: time spent inside the detector.
        shortfall: why frames are missing at the end of the source, or an empty string.
        first_failure: why the first failed frame failed, or an empty string.
    """

    def __init__(
        self,
        source: Source,
        runtime: Runtime,
        cropper: Cropper,
        *,
        batch: int = 8,
        smoother: OneEuroFilter | None = None,
    ) -> None:
        if batch < 1:
            raise UserError(f"batch must be at least 1, got {batch}")
        self.source, self.cropper, self.smoother = source, cropper, smoother
        self._runtime = runtime
        self._batch = 1 if cropper.looks_back else batch
        self.received = self.processed = self.failed = self.without_person = 0
        self.model_seconds = 0.0
        self.shortfall = self.first_failure = ""

    def __iter__(self) -> Iterator[FramePose]:
        with ReadAhead(self.source, READ_AHEAD) as frames:
            for group in _groups(frames, self._batch):
                self.received += len(group)
                for pose in self._detect(group):
                    self._count(pose)
                    yield pose
        self.shortfall = self.source.shortfall

    def _count(self, pose: FramePose) -> None:
        failed = pose.status == "failed"
        self.processed += not failed
        self.failed += failed
        self.without_person += pose.status == "no person"
        if failed and not self.first_failure:
            self.first_failure = pose.reason

    def account(self) -> dict[str, Any]:
        """The counts for the report, JSON-able."""
        return {
            "source": self.source.name,
            "crop": self.cropper.name,
            "expected": self.source.expected,
            "received": self.received,
            "processed": self.processed,
            "failed": self.failed,
            "without_person": self.without_person,
            "partial": bool(self.shortfall),
            "reason": self.shortfall or self.first_failure,
            "model_seconds": round(self.model_seconds, 4),
            "smoothing_delay_seconds": (
                None if self.smoother is None else round(self.smoother.mean_delay, 4)
            ),
        }

    def _detect(self, group: Sequence[Frame]) -> Iterator[FramePose]:
        size = self._runtime.info.image_size
        windows = [
            None if f.image is None else self.cropper.window(f.index, *f.image.shape[:2])
            for f in group
        ]
        crops = [
            crop_window(f.image, w, size)
            for f, w in zip(group, windows, strict=True)
            if f.image is not None and w is not None
        ]
        answers = iter(self._run(crops, [w for w in windows if w is not None]))
        for frame, window in zip(group, windows, strict=True):
            if frame.image is None:
                yield self._without(frame, "failed", frame.reason)
            elif window is None:
                yield self._without(frame, "no person", "")
            else:
                points, confidence = next(answers)
                if not (np.isfinite(points).all() and np.isfinite(confidence).all()):
                    yield self._without(frame, "failed", "the model's answer is not finite")
                    continue
                self.cropper.observe(points)
                if self.smoother is not None and frame.time is not None:
                    points = self.smoother(points, frame.time, window[2])
                yield FramePose(
                    frame.source,
                    frame.index,
                    frame.time,
                    "ok",
                    points=points,
                    confidence=confidence,
                    window=window,
                    image=frame.image,
                )

    def _run(
        self, crops: Sequence[np.ndarray], windows: Sequence[tuple[float, float, float]]
    ) -> Iterable[tuple[np.ndarray, np.ndarray]]:
        if not crops:
            return ()
        started = time.perf_counter()
        points, confidence = self._runtime.run(np.stack(crops))
        self.model_seconds += time.perf_counter() - started
        return zip(
            crop_to_frame(points, np.array(windows), self._runtime.info.image_size),
            confidence,
            strict=True,
        )

    def _without(self, frame: Frame, status: str, reason: str) -> FramePose:
        self.cropper.observe(None)
        if self.smoother is not None:
            self.smoother.reset()
        return FramePose(
            frame.source, frame.index, frame.time, status, reason=reason, image=frame.image
        )


def _groups(frames: Iterable[Frame], size: int) -> Iterator[list[Frame]]:
    group: list[Frame] = []
    for frame in frames:
        group.append(frame)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
