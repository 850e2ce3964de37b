"""`fastpose.load(path)`: pictures of every kind in, joints in pixels of each picture out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fastpose
from fastpose.errors import UserError
from fastpose.inference import Detector
from fastpose.media.images import write_image
from fastpose.media.video import VideoWriter

DOTS = np.array([[20.0, 14.0], [44.0, 30.0], [30.0, 8.0]])


@pytest.fixture
def detector(blob_path: Path) -> Detector:
    return fastpose.load(blob_path, threads=1)


def test_one_picture(detector: Detector, paint, skeleton) -> None:
    poses = detector.predict(paint(48, 64, DOTS, radius=3))
    assert poses.points.shape == (1, 3, 2) and poses.confidence.shape == (1, 3) and len(poses) == 1
    np.testing.assert_allclose(poses.points[0], DOTS, atol=0.3)
    assert poses.skeleton == detector.skeleton == skeleton
    (named,) = poses.by_name()
    assert list(named) == ["head", "r_wrist", "l_wrist"]
    assert named["r_wrist"] == pytest.approx((44, 30, 1), abs=0.3)


def test_batches_lists_and_paths_agree(detector: Detector, paint, tmp_path: Path) -> None:
    image = paint(48, 64, DOTS, radius=3)
    tall = paint(90, 40, [[10, 20], [30, 70], [20, 40]], radius=4)
    write_image(tmp_path / "a.png", image)
    mixed = detector.predict([image, str(tmp_path / "a.png"), tmp_path / "a.png", tall])
    np.testing.assert_array_equal(mixed.points[0], mixed.points[1])
    np.testing.assert_array_equal(mixed.points[0], mixed.points[2])
    np.testing.assert_allclose(mixed.points[3], [[10, 20], [30, 70], [20, 40]], atol=0.5)
    np.testing.assert_array_equal(detector.predict(tmp_path / "a.png").points[0], mixed.points[0])
    many = detector.predict(np.stack([image] * 19))  # more than one call of the model
    assert len(many) == 19
    np.testing.assert_allclose(many.points, np.broadcast_to(mixed.points[0], (19, 3, 2)), atol=1e-4)


def test_a_window_sharpens_the_answer(detector: Detector, paint) -> None:
    image = paint(400, 600, np.add(DOTS, (300, 200)), radius=3)
    window = [[310.0, 195.0, 64.0]]
    poses = detector.predict(image, windows=window)
    np.testing.assert_allclose(poses.points[0], np.add(DOTS, (300, 200)), atol=0.3)


def test_nothing_in_nothing_out(detector: Detector) -> None:
    assert detector.predict([]).points.shape == (0, 3, 2)
    assert detector.predict(np.zeros((0, 8, 8, 3), np.uint8)).confidence.shape == (0, 3)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 900, 3), (900, 1, 3)])
def test_pictures_of_odd_shapes(detector: Detector, shape) -> None:
    poses = detector.predict(np.full(shape, 200, np.uint8))
    assert np.isfinite(poses.points).all()


@pytest.mark.parametrize(
    ("images", "kind", "message"),
    [
        (np.zeros((8, 8, 3)), TypeError, "expected uint8, 0 to 255, got float64"),
        (np.zeros((8, 8), np.uint8), ValueError, r"expected shape \(H, W, 3\)|arrays or paths"),
        (np.zeros((8, 8, 4), np.uint8), ValueError, r"got \(8, 8, 4\)"),
        (np.zeros((0, 8, 3), np.uint8), ValueError, r"got \(0, 8, 3\)"),
        ([3], TypeError, "expected arrays or paths, got int"),
        (None, TypeError, "got NoneType"),
        ("gone.png", UserError, "no such file"),
    ],
)
def test_wrong_pictures(detector: Detector, images, kind, message: str) -> None:
    with pytest.raises(kind, match=message):
        detector.predict(images)


@pytest.mark.parametrize("windows", [[[0, 0, 10]], [[0, 0]] * 2, [0, 0, 10]])
def test_windows_come_one_a_picture(detector: Detector, windows) -> None:
    with pytest.raises(ValueError, match=r"windows: expected shape \(2, 3\)"):
        detector.predict(np.zeros((2, 8, 8, 3), np.uint8), windows=windows)


def _film(path: Path, paint, frames: int = 12) -> Path:
    with VideoWriter(path, 10.0, (64, 48), quality=5, threads=1) as writer:
        for i in range(frames):
            writer.add(paint(48, 64, np.add(DOTS, (0.5 * i, 0)), radius=4))
    return path


def test_a_video(detector: Detector, paint, tmp_path: Path) -> None:
    frames = list(detector.video(_film(tmp_path / "a.mp4", paint), crop="full"))
    assert [f.index for f in frames] == list(range(12))
    assert [round(f.time, 3) for f in frames[:3]] == [0.0, 0.1, 0.2]
    green = np.stack([f.points[1] for f in frames])
    np.testing.assert_allclose(green, DOTS[1] + np.arange(12)[:, None] * [0.5, 0], atol=1.5)


def test_a_damaged_video_gives_its_good_frames_and_then_says_so(detector, paint, tmp_path) -> None:
    whole = _film(tmp_path / "a.mp4", paint, 60).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: int(len(whole) * 0.6)])
    seen = []
    with pytest.raises(UserError, match=r"cut\.mp4: \d+ frames were read, then") as caught:
        for frame in detector.video(cut, crop="full"):
            seen.append(frame.index)
    assert 0 < len(seen) < 60 and f" {len(seen)} frames were read" in str(caught.value)


def test_leaving_a_video_early_ends_its_thread(detector, paint, tmp_path: Path) -> None:
    import threading

    frames = detector.video(_film(tmp_path / "a.mp4", paint), crop="full")
    next(frames)
    frames.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("fastpose-")]


def test_things_that_are_no_model(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "picture.onnx").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    for path, message in {
        tmp_path / "gone.onnx": "no such model",
        tmp_path / "empty": "holds no checkpoint",
        tmp_path / "picture.onnx": "not an ONNX model",
    }.items():
        with pytest.raises(UserError, match=message):
            fastpose.load(path)
