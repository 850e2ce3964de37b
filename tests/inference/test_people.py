"""Windows planned ahead: around who moves, around boxes from a file, and where neither is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fastpose.data.prepare.boxes import BoxFile
from fastpose.errors import UserError
from fastpose.inference.metadata import ModelInfo
from fastpose.inference.people import make_cropper, motion_crop, windows_from_boxes
from fastpose.inference.sources import PictureSource, VideoSource
from fastpose.media.images import resize, write_image
from fastpose.media.video import VideoWriter

WIDTH, HEIGHT = 192, 108


def _scene(x: float | None, *, seed: int = 0) -> np.ndarray:
    """A textured wall, and a dark figure 60 pixels high at x."""
    rng = np.random.default_rng(seed)
    wall = rng.integers(120, 200, (HEIGHT // 4, WIDTH // 4, 3), np.uint8)
    image = wall.repeat(4, 0).repeat(4, 1)
    if x is not None:
        left = round(x)
        image[30:90, max(0, left - 9) : max(0, left + 9)] = (30, 20, 60)
    return image


def _film(path: Path, places: list[float | None], fps: float = 10.0) -> VideoSource:
    with VideoWriter(path, fps, (WIDTH, HEIGHT), quality=10, threads=1) as writer:
        for x in places:
            writer.add(_scene(x))
    return VideoSource(path)


def _walk(start: float, end: float, frames: int) -> list[float | None]:
    return list(np.linspace(start, end, frames))


def test_windows_hold_the_walker_and_nobody_before_and_after(tmp_path: Path) -> None:
    nobody: list[float | None] = [None] * 25
    places = [*nobody, *_walk(20, 170, 60), *nobody]
    seen: list[int] = []
    windows = motion_crop(_film(tmp_path / "a.mp4", places), seen.append).windows
    for index, x in enumerate(places):
        if x is not None and 30 < x < 160:
            x0, y0, side = windows[index]
            assert x0 < x - 7 and x + 7 < x0 + side, index
            assert y0 < 34 and y0 + side > 86, index
            assert 60 < side < 150
    assert not [i for i in range(20) if i in windows]
    assert not [i for i in range(100, 110) if i in windows]
    assert max(seen) == 110 and seen.count(110) == 2  # two passes


def test_a_window_stays_still_for_a_while(tmp_path: Path) -> None:
    places = [*[None] * 20, *_walk(40, 150, 60), *[None] * 20]
    windows = motion_crop(_film(tmp_path / "a.mp4", places)).windows
    assert 1 <= len(set(windows.values())) <= 8


def test_a_short_absence_is_bridged(tmp_path: Path) -> None:
    places: list[float | None] = [
        *[None] * 20,
        *_walk(50, 80, 30),
        *[None] * 6,
        *_walk(86, 120, 30),
    ]
    windows = motion_crop(_film(tmp_path / "a.mp4", [*places, *[None] * 20])).windows
    assert all(i in windows for i in range(25, 80))


def test_auto_falls_back_to_the_whole_frame(tmp_path: Path, info: ModelInfo) -> None:
    still = _film(tmp_path / "still.mp4", [None] * 20)
    assert make_cropper(still, "auto", None, info).name == "full"
    with pytest.raises(UserError, match=r"still\.mp4: nobody moves.*use --crop full"):
        make_cropper(still, "motion", None, info)
    walking = _film(tmp_path / "walk.mp4", [*[None] * 10, *_walk(30, 160, 30), *[None] * 10])
    assert make_cropper(walking, "auto", None, info).name == "motion"
    assert make_cropper(walking, "full", None, info).name == "full"
    assert make_cropper(walking, "follow", None, info).name == "follow"
    write_image(tmp_path / "p.png", _scene(50))
    picture = PictureSource([tmp_path / "p.png"], "p.png")
    assert make_cropper(picture, "auto", None, info).name == "full"


def test_auto_takes_a_tiny_video_whole(tmp_path: Path, info: ModelInfo) -> None:
    with VideoWriter(tmp_path / "tiny.mp4", 10.0, (8, 8), threads=1) as writer:
        for i in range(10):
            writer.add(np.full((8, 8, 3), 20 * i, np.uint8))
    tiny = VideoSource(tmp_path / "tiny.mp4")
    assert make_cropper(tiny, "auto", None, info).name == "full"
    with pytest.raises(UserError, match="too small to show a person"):
        make_cropper(tiny, "motion", None, info)


def test_auto_takes_a_video_that_was_cut_already_whole(tmp_path: Path, info: ModelInfo) -> None:
    places = [*[None] * 10, *_walk(20, 48, 30), *[None] * 10]
    for side, name in ((2 * info.image_size, "full"), (108, "motion")):
        with VideoWriter(tmp_path / f"{side}.mp4", 10.0, (side, side), threads=1) as writer:
            for x in places:
                image = _scene(x if x is None else x * side / 64)[:, :108]
                writer.add(resize(image, (side, side)))
        assert make_cropper(VideoSource(tmp_path / f"{side}.mp4"), "auto", None, info).name == name


def test_pictures_can_be_taken_for_a_film(tmp_path: Path, info: ModelInfo) -> None:
    paths = []
    for i, x in enumerate([*[None] * 10, *_walk(30, 160, 40), *[None] * 10]):
        paths.append(tmp_path / f"{i:03d}.png")
        write_image(paths[-1], _scene(x))
    source = PictureSource(paths, str(tmp_path))
    windows = motion_crop(source).windows
    assert {20, 30, 40} <= set(windows)
    write_image(paths[5], np.zeros((30, 30, 3), np.uint8))
    with pytest.raises(UserError, match=r"cannot be taken for a film.*30 x 30"):
        make_cropper(source, "motion", None, info)


def _boxes(path: Path, rows: list[dict]) -> BoxFile:
    path.write_text(json.dumps(rows))
    return BoxFile(path)


def _row(source: str, frame: int, x: float, **more: object) -> dict:
    return {"source": source, "frame": frame, "x0": x, "y0": 20, "x1": x + 20, "y1": 80, **more}


def test_boxes_of_a_video(tmp_path: Path, info: ModelInfo) -> None:
    source = _film(tmp_path / "a.mp4", [None] * 12)
    rows = [_row("a.mp4", i, 50) for i in range(3, 7)] + [_row("a.mp4", 10, 100)]
    cropper = make_cropper(source, "auto", _boxes(tmp_path / "b.json", rows), info)
    windows = [cropper.window(i, HEIGHT, WIDTH) for i in range(12)]
    assert [w is not None for w in windows] == [3 <= i < 7 or i == 10 for i in range(12)]
    assert cropper.name == "boxes" and not cropper.looks_back
    x0, y0, side = windows[4]
    assert x0 + side / 2 == pytest.approx(60, abs=1) and y0 + side / 2 == pytest.approx(50, abs=1)
    assert 60 < side < 90
    assert windows[10][0] == pytest.approx(x0 + 50, abs=1)


def test_of_two_people_the_larger_one_is_looked_at(tmp_path: Path) -> None:
    source = _film(tmp_path / "a.mp4", [None] * 4)
    small = [_row("a", i, 10, person="child") | {"y0": 50} for i in range(4)]
    large = [_row("a", i, 100, person="adult") for i in range(2)]
    windows = windows_from_boxes(source, _boxes(tmp_path / "b.json", small + large))
    centres = [windows[i][0] + windows[i][2] / 2 for i in range(4)]
    np.testing.assert_allclose(centres, [110, 110, 20, 20], atol=1)


def test_boxes_of_pictures_by_folder_or_one_by_one(tmp_path: Path) -> None:
    source = PictureSource([tmp_path / f"{i}.png" for i in range(3)], str(tmp_path / "shots"))
    by_folder = _boxes(tmp_path / "a.json", [_row("shots", i, 10.0 * i) for i in (0, 2)])
    assert sorted(windows_from_boxes(source, by_folder)) == [0, 2]
    one_by_one = _boxes(tmp_path / "b.json", [_row("1.png", 0, 30), _row("2", 0, 60)])
    assert sorted(windows_from_boxes(source, one_by_one)) == [1, 2]
    other = _boxes(tmp_path / "c.json", [_row("somebody.mp4", 0, 30)])
    with pytest.raises(UserError, match=r"c\.json: has no box for 'shots'"):
        windows_from_boxes(source, other)


def test_after_a_change_of_size_frames_are_taken_whole(tmp_path: Path, info: ModelInfo) -> None:
    film = _film(tmp_path / "a.mp4", [*[None] * 10, *_walk(30, 160, 30), *[None] * 25])
    cropper = make_cropper(film, "auto", None, info)
    assert cropper.window(2, HEIGHT, WIDTH) is None
    assert cropper.window(64, HEIGHT, WIDTH) is None
    assert cropper.window(65, 40, 40) == (-0.5, -0.5, 40.0)  # the plan ends with frame 64
