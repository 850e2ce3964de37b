"""Frames in, poses out: every frame is accounted for, whatever happens to it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from fastpose.errors import UserError
from fastpose.inference.crop import FollowCrop, FullCrop
from fastpose.inference.runtimes import open_runtime
from fastpose.inference.smoothing import OneEuroFilter
from fastpose.inference.sources import Frame
from fastpose.inference.stream import PoseStream


class ListSource:
    """Frames from memory."""

    name, is_video = "list", True

    def __init__(self, images, *, shortfall: str = "", error: Exception | None = None) -> None:
        self.images, self.shortfall, self.error = images, shortfall, error
        self.expected = len(images)

    def __iter__(self) -> Iterator[Frame]:
        for i, image in enumerate(self.images):
            yield Frame("list", i, i / 10, image, "" if image is not None else "unreadable")
        if self.error is not None:
            raise self.error


class EveryThird(FullCrop):
    """Nobody is in every third frame."""

    def window(self, index: int, height: int, width: int):
        return None if index % 3 == 2 else super().window(index, height, width)


class Poisoned:
    """Answers with NaN for crops that are white in the corner."""

    def __init__(self, runtime) -> None:
        self._runtime, self.info, self.name = runtime, runtime.info, runtime.name
        self.batches: list[int] = []

    def run(self, crops):
        self.batches.append(len(crops))
        points, confidence = self._runtime.run(crops)
        return np.where((crops[:, 0, 0, 0] == 255)[:, None, None], np.nan, points), confidence


@pytest.fixture
def runtime(blob_path):
    return open_runtime(blob_path, threads=1)


def _walk(paint, count: int) -> tuple[list[np.ndarray], np.ndarray]:
    start = np.array([[10, 8], [14, 20], [30, 12]], float)
    places = start + np.arange(count)[:, None, None] * np.array([0.7, 0.2])
    return [paint(48, 64, p, radius=3) for p in places], places


@pytest.mark.parametrize("batch", [1, 3, 8, 100])
def test_joints_are_pixels_of_the_frame_whatever_the_batch(runtime, paint, batch: int) -> None:
    images, places = _walk(paint, 10)
    stream = PoseStream(ListSource(images), runtime, FullCrop(), batch=batch)
    poses = list(stream)
    assert [p.index for p in poses] == list(range(10))
    found = np.stack([p.points for p in poses])
    np.testing.assert_allclose(found, places, atol=0.3)
    assert (stream.received, stream.processed, stream.failed) == (10, 10, 0)
    assert all(p.window == (-0.5, -8.5, 64.0) for p in poses)
    assert all(p.image is image for p, image in zip(poses, images, strict=True))


def test_every_frame_carries_the_models_confidence(runtime, paint) -> None:
    images, _ = _walk(paint, 3)
    dimmed = [image // (1 + i) for i, image in enumerate(images)]
    found = [p.confidence for p in PoseStream(ListSource(dimmed), runtime, FullCrop(), batch=2)]
    bright = [p.confidence for p in PoseStream(ListSource(images), runtime, FullCrop())]
    for i in range(3):
        np.testing.assert_allclose(found[i], bright[i] / (1 + i), atol=0.05)
        assert (bright[i] > 0.5).all()


def test_the_account_holds_with_failures_of_every_kind(runtime, paint) -> None:
    images, _ = _walk(paint, 12)
    images[3] = None
    images[4] = np.full_like(images[4], 255)
    poisoned = Poisoned(runtime)
    stream = PoseStream(ListSource(images, shortfall="cut"), poisoned, EveryThird(), batch=5)
    poses = list(stream)
    assert [p.status for p in poses].count("failed") == stream.failed == 2
    assert stream.without_person == 4
    assert stream.received == stream.processed + stream.failed == 12
    assert poses[3].reason == stream.first_failure == "unreadable"
    assert poses[4].reason == "the model's answer is not finite" and poses[4].points is None
    account = stream.account()
    assert (account["partial"], account["reason"]) == (True, "cut")
    assert account["received"] == 12


def test_following_forces_one_frame_at_a_time(runtime, paint) -> None:
    poisoned = Poisoned(runtime)
    images, places = _walk(paint, 12)
    framing = {"fill": 0.5, "center_x": 0.5, "center_y": 0.5}
    poses = list(PoseStream(ListSource(images), poisoned, FollowCrop(framing), batch=8))
    assert set(poisoned.batches) == {1}
    np.testing.assert_allclose(np.stack([p.points for p in poses]), places, atol=0.3)
    assert poses[-1].window[2] < 64  # it closed in


def test_smoothing_is_applied_and_restarts_after_a_lost_frame(runtime, paint) -> None:
    images, _ = _walk(paint, 8)
    plain = list(PoseStream(ListSource(images), runtime, FullCrop()))
    images[4] = None
    stream = PoseStream(ListSource(images), runtime, FullCrop(), smoother=OneEuroFilter())
    smooth = list(stream)
    np.testing.assert_array_equal(smooth[0].points, plain[0].points)
    assert (smooth[3].points[:, 0] < plain[3].points[:, 0]).all()  # late
    np.testing.assert_array_equal(smooth[5].points, plain[5].points)  # fresh after the gap
    assert stream.account()["smoothing_delay_seconds"] > 0


def test_an_error_of_the_source_comes_out_after_the_good_frames(runtime, paint) -> None:
    images, _ = _walk(paint, 4)
    stream = PoseStream(ListSource(images, error=UserError("gone")), runtime, FullCrop(), batch=2)
    seen = []
    with pytest.raises(UserError, match="gone"):
        for pose in stream:
            seen.append(pose.index)
    assert seen == [0, 1, 2, 3]


def test_a_batch_must_hold_a_frame(runtime) -> None:
    with pytest.raises(UserError, match="batch must be at least 1, got 0"):
        PoseStream(ListSource([]), runtime, FullCrop(), batch=0)
