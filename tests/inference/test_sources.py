"""Arguments become sources: pictures, folders, patterns, videos, and what is none of these."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastpose.errors import UserError
from fastpose.inference.sources import PictureSource, VideoSource, find_sources
from fastpose.media.images import write_image
from fastpose.media.video import VideoWriter


def _video(path: Path, frames: int = 5) -> Path:
    with VideoWriter(path, 10.0, (32, 24), threads=1) as writer:
        for i in range(frames):
            writer.add(np.full((24, 32, 3), 10 * i, np.uint8))
    return path


def _pictures(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        write_image(folder / name, np.zeros((8, 8, 3), np.uint8))


def test_a_video(tmp_path: Path) -> None:
    (source,) = find_sources([str(_video(tmp_path / "a.mp4"))])
    assert isinstance(source, VideoSource)
    assert (source.expected, source.fps, source.is_video) == (5, 10.0, True)
    frames = list(source)
    assert [f.index for f in frames] == list(range(5))
    assert [round(f.time or 0, 3) for f in frames] == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert source.shortfall == ""


def test_a_folder_gives_pictures_in_natural_order_and_videos_apart(tmp_path: Path) -> None:
    _pictures(tmp_path, "10.png", "2.png", "1.jpg")
    _video(tmp_path / "clip.mp4")
    (tmp_path / "labels.json").write_text("{}")
    for left in ("._1.jpg", "._clip.mp4", "Thumbs.db"):
        (tmp_path / left).write_bytes(b"left by a desktop")
    video, pictures = find_sources([str(tmp_path)])
    assert isinstance(video, VideoSource) and isinstance(pictures, PictureSource)
    assert [p.name for p in pictures.paths] == ["1.jpg", "2.png", "10.png"]
    assert pictures.expected == 3 and pictures.name == str(tmp_path)


def test_a_pattern_and_loose_pictures_are_one_source(tmp_path: Path) -> None:
    _pictures(tmp_path, "a1.png", "a2.png", "b.png")
    (tmp_path / "a3.txt").write_text("no picture")
    (source,) = find_sources([str(tmp_path / "a*"), str(tmp_path / "b.png")])
    assert isinstance(source, PictureSource)
    assert [p.name for p in source.paths] == ["a1.png", "a2.png", "b.png"]


def test_a_name_with_signs_of_a_pattern_is_taken_as_it_is(tmp_path: Path) -> None:
    _pictures(tmp_path, "frame[1].png")
    (source,) = find_sources([str(tmp_path / "frame[1].png")])
    assert source.expected == 1


def test_an_unreadable_picture_is_a_failed_frame(tmp_path: Path) -> None:
    _pictures(tmp_path, "1.png", "3.png")
    (tmp_path / "2.png").write_bytes(b"\x89PNG not really")
    (source,) = find_sources([str(tmp_path)])
    frames = list(source)
    assert [f.image is None for f in frames] == [False, True, False]
    assert "2.png" in frames[1].reason


def test_things_that_are_no_source(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    text = tmp_path / "notes.txt"
    text.write_text("these are notes\n" * 50)
    zero = tmp_path / "zero.mp4"
    zero.write_bytes(b"")
    for argument, message in {
        str(tmp_path / "gone.mp4"): "no such file",
        str(tmp_path / "*.avi"): "matches no picture and no video",
        str(empty): "holds no picture and no video",
        str(text): "not a",
        str(zero): "empty",
    }.items():
        with pytest.raises(UserError, match=message) as caught:
            find_sources([argument])
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="no source given"):
        find_sources([])
