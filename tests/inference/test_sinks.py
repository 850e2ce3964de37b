"""Tables and overlays: one row and one frame for each frame that came in."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from fastpose.inference.frames import FramePose
from fastpose.inference.sinks import (
    CsvSink,
    JsonLinesSink,
    OverlayPictureSink,
    OverlayVideoSink,
    draw_pose,
    unique_name,
)
from fastpose.media.images import read_image
from fastpose.media.video import VideoReader

POINTS = np.array([[10.25, 5.0], [20.0, 30.5], [-3.0, 8.0]], np.float32)


def _pose(index: int, *, size: tuple[int, int] = (48, 64), **changes) -> FramePose:
    values = {
        "time": index / 10,
        "status": "ok",
        "points": POINTS + index,
        "confidence": np.array([1.0, 0.5, 0.25], np.float32),
        "window": (-0.5, -8.5, 64.0),
        "image": np.full((*size, 3), 40, np.uint8),
    } | changes
    return FramePose("clip.mp4", index, **values)


def _lost(index: int, status: str, reason: str = "", image: np.ndarray | None = None) -> FramePose:
    nothing = {"points": None, "confidence": None, "window": None, "image": image}
    return _pose(index, status=status, reason=reason, **nothing)


def test_json_lines(tmp_path: Path, skeleton) -> None:
    sink = JsonLinesSink(tmp_path / "poses.jsonl", skeleton)
    for pose in (_pose(0), _lost(1, "no person"), _lost(2, "failed", "unreadable")):
        sink.write(pose)
    sink.finish()
    rows = [json.loads(line) for line in (tmp_path / "poses.jsonl").read_text().splitlines()]
    assert rows[0] == {
        "source": "clip.mp4",
        "frame": 0,
        "time": 0.0,
        "status": "ok",
        "window": [-0.5, -8.5, 64.0],
        "keypoints": {
            "head": [10.25, 5.0, 1.0],
            "r_wrist": [20.0, 30.5, 0.5],
            "l_wrist": [-3.0, 8.0, 0.25],
        },
    }
    assert rows[1]["keypoints"] is None and rows[1]["status"] == "no person"
    assert rows[2]["reason"] == "unreadable" and rows[2]["window"] is None


def test_csv(tmp_path: Path, skeleton) -> None:
    sink = CsvSink(tmp_path / "poses.csv", skeleton)
    for pose in (_pose(0), _lost(1, "failed", "x"), _pose(2, time=None)):
        sink.write(pose)
    sink.finish()
    with open(tmp_path / "poses.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    assert list(rows[0])[:5] == ["source", "frame", "time", "status", "head_x"]
    assert float(rows[0]["l_wrist_x"]) == -3.0 and float(rows[0]["r_wrist_confidence"]) == 0.5
    assert rows[1]["status"] == "failed" and rows[1]["head_x"] == ""
    assert rows[2]["time"] == "" and float(rows[2]["head_x"]) == 12.25


def test_overlay_video_has_a_frame_for_every_frame(tmp_path: Path, skeleton) -> None:
    sink = OverlayVideoSink(tmp_path / "o.mp4", skeleton, 10.0)
    image = np.zeros((48, 64, 3), np.uint8)
    sink.write(_pose(0))
    sink.write(_lost(1, "no person", image=image))
    sink.write(_lost(2, "failed", "nan", image=image))
    sink.write(_pose(3, size=(64, 32)))  # the video changes its size midway
    sink.finish()
    frames = list(VideoReader(tmp_path / "o.mp4"))
    assert len(frames) == 4
    assert {f.image.shape for f in frames} == {(240, 320, 3)}  # enlarged five times
    sides = frames[3].image[:, [5, -5]].astype(int)
    assert sides.max() < 30  # black borders beside the narrow frame


def test_a_discarded_overlay_leaves_nothing(tmp_path: Path, skeleton) -> None:
    sink = OverlayVideoSink(tmp_path / "o.mp4", skeleton, 10.0)
    sink.write(_pose(0))
    sink.discard()
    OverlayVideoSink(tmp_path / "p.mp4", skeleton, 10.0).finish()  # nothing came
    assert list(tmp_path.iterdir()) == []


def test_overlay_pictures_keep_names_apart(tmp_path: Path, skeleton) -> None:
    sink = OverlayPictureSink(tmp_path / "overlay", skeleton)
    for source in ("a/1.png", "b/1.png", "c/2.JPG"):
        pose = _pose(0)
        sink.write(FramePose(source, 0, None, "ok", points=pose.points, image=pose.image))
    sink.write(_lost(3, "failed", "unreadable"))
    sink.finish()
    assert sorted(p.name for p in (tmp_path / "overlay").iterdir()) == ["1-2.png", "1.png", "2.jpg"]


@pytest.mark.parametrize(("height", "width", "factor"), [(64, 64, 5), (200, 100, 2), (480, 640, 1)])
def test_small_frames_are_enlarged_with_their_joints(skeleton, height, width, factor) -> None:
    points = np.array([[width / 2, height / 2]] * 3, np.float32)
    picture = draw_pose(_pose(0, size=(height, width), points=points), skeleton)
    assert picture is not None and picture.shape == (height * factor, width * factor, 3)
    changed = np.abs(picture.astype(int) - 40).sum(axis=2) > 60
    y, x = np.nonzero(changed)
    place = (np.array([width / 2, height / 2]) + 0.5) * factor - 0.5
    np.testing.assert_allclose([x.mean(), y.mean()], place, atol=0.5)


def test_sides_have_their_colours(skeleton) -> None:
    points = np.array([[160, 40], [60, 200], [260, 200]], np.float32)
    picture = draw_pose(_pose(0, size=(240, 320), points=points), skeleton)
    assert picture is not None
    right, left = picture[200, 60].astype(int), picture[200, 260].astype(int)
    assert right[2] > right[0] + 100  # blue
    assert left[0] > left[2] + 100  # orange


def test_a_frame_without_a_person_says_so(skeleton) -> None:
    image = np.zeros((240, 320, 3), np.uint8)
    picture = draw_pose(_lost(0, "no person", image=image), skeleton)
    assert picture is not None and picture[:30, :120].max() == 255 and picture[60:].max() == 0
    assert draw_pose(_lost(0, "failed"), skeleton) is None


def test_unique_names() -> None:
    taken: set[str] = set()
    assert [unique_name("a", taken) for _ in range(3)] == ["a", "a-2", "a-3"]


def test_pictures_are_readable(tmp_path: Path, skeleton) -> None:
    sink = OverlayPictureSink(tmp_path / "o", skeleton)
    sink.write(_pose(0, size=(400, 300)))
    assert read_image(tmp_path / "o" / "clip.png").shape == (400, 300, 3)
