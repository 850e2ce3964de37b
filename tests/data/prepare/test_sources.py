from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastpose.data.prepare.sources import (
    FolderSource,
    Source,
    StripSource,
    Unreadable,
    VideoSource,
    find_sources,
    natural_key,
)
from fastpose.errors import UserError
from fastpose.media.images import write_image
from tests.media import scenes


def pictures(folder: Path, names: list[str], height: int = 32, width: int = 48) -> Path:
    """Pictures whose grey value is their place in the list."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        write_image(folder / name, np.full((height, width, 3), i, np.uint8))
    return folder


def strip(path: Path, count: int, side: int = 32) -> Path:
    """A strip whose frame i has the grey value i."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.repeat(np.arange(count, dtype=np.uint8), side)
    write_image(path, np.broadcast_to(values[None, :, None], (side, count * side, 3)).copy())
    return path


def only(paths: Path | str, **options: object) -> Source:
    found = find_sources([paths], **options)
    assert len(found) == 1 and isinstance(found[0], Source), found
    return found[0]


def greys(source: Source, max_side: int | None = None) -> list[int]:
    return [int(f.image[0, 0, 0]) for f in source.frames(max_side)]


def test_a_folder_of_frames_is_read_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    names = [f"frame{i}.png" for i in range(12)]
    source = only(pictures(tmp_path / "walk", names))
    assert isinstance(source, FolderSource) and source.name == "walk"
    assert source.length == 12 and source.fps == 25.0
    assert greys(source) == list(range(12)) == greys(source)
    assert source.report is not None and not source.report.partial
    frame = next(iter(source.frames(24)))
    assert frame.image.shape == (16, 24, 3) and frame.size == (48, 32)
    assert only(tmp_path / "walk", fps=10.0).fps == 10.0


def test_natural_key() -> None:
    names = [Path(n) for n in ("a10.png", "a9.png", "a9b.png", "b1.png", "007.png")]
    assert [p.name for p in sorted(names, key=natural_key)] == [
        "007.png",
        "a9.png",
        "a9b.png",
        "a10.png",
        "b1.png",
    ]


def test_strips_are_told_from_frames(tmp_path: Path) -> None:
    for i, count in enumerate((5, 7, 9)):
        strip(tmp_path / "strips" / f"{i:03d}.png", count)
    found = find_sources([tmp_path / "strips"])
    assert [type(s) for s in found] == [StripSource] * 3
    source = found[1]
    assert isinstance(source, Source)
    assert source.length == 7 and source.name == "001" and greys(source) == list(range(7))
    frame = next(iter(source.frames()))
    assert frame.image.shape == (32, 32, 3)
    # Pictures twice as wide as high are an ordinary format, unless one says otherwise.
    pictures(tmp_path / "wide", ["a.png", "b.png"], 32, 64)
    assert isinstance(only(tmp_path / "wide"), FolderSource)
    assert len(find_sources([tmp_path / "wide"], layout="strips")) == 2
    assert isinstance(only(tmp_path / "strips", layout="frames"), FolderSource)


def test_a_folder_with_everything_in_it(tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    scenes.write(tmp_path / "all/b.mp4", scenes.walk(4, empty=1))
    (tmp_path / "all/readme.txt").write_text("hello")
    (tmp_path / "all/.hidden.mp4").write_text("hello")
    pictures(tmp_path / "all/day1", ["1.png", "2.png"])
    strip(tmp_path / "all/day2/s.png", 6)
    found = find_sources([tmp_path / "all"])
    assert [(type(s).__name__, s.path.name) for s in found] == [
        ("VideoSource", "b.mp4"),
        ("FolderSource", "day1"),
        ("StripSource", "s.png"),
    ]
    videos = find_sources([tmp_path / "all"], layout="videos")
    assert [s.path.name for s in videos] == ["b.mp4"]


def test_names_are_kept_apart(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        scenes.write(tmp_path / folder / "clip.mp4", scenes.walk(4, empty=1))
    found = find_sources([tmp_path / "one", tmp_path / "two/clip.mp4"])
    assert [s.name for s in found if isinstance(s, Source)] == ["one_clip", "two_clip"]
    twice = find_sources([tmp_path / "one", tmp_path / "one"])
    names = [s.name for s in twice if isinstance(s, Source)]
    assert len(set(names)) == 2


def test_what_cannot_be_opened_is_kept_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_text("no video")
    (tmp_path / "s.png").write_bytes(b"")
    found = find_sources([tmp_path / "x.mp4", tmp_path / "s.png"])
    assert all(isinstance(s, Unreadable) for s in found)
    assert ["not a readable video" in str(s.error) for s in found if isinstance(s, Unreadable)] == [
        True,
        False,
    ]


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file or folder"):
        find_sources([tmp_path / "nowhere"])
    with pytest.raises(UserError, match="holds no videos or pictures"):
        find_sources([tmp_path])
    pictures(tmp_path, ["a.png"])
    with pytest.raises(UserError, match="holds no videos"):
        find_sources([tmp_path], layout="videos")


def test_a_damaged_picture_ends_a_folder(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "f", [f"{i}.png" for i in range(6)])
    (folder / "4.png").write_bytes((folder / "4.png").read_bytes()[:40])
    source = only(folder)
    assert greys(source) == [0, 1, 2, 3]
    report = source.report
    assert report is not None and report.partial and "4.png" in report.reason
    assert (report.frames_decoded, report.frames_promised) == (4, 6)
    (folder / "0.png").write_bytes(b"x")
    with pytest.raises(UserError, match=r"0\.png"):
        greys(source)


def test_a_picture_of_another_size_ends_a_folder(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "f", ["0.png", "1.png", "2.png"])
    pictures(folder, ["3.png"], 40, 40)
    source = only(folder)
    assert len(greys(source)) == 3
    assert source.report is not None and "40 x 40" in source.report.reason


@pytest.mark.parametrize("size", [(1, 1), (1, 100), (15, 200)])
def test_pictures_too_small_for_a_person(tmp_path: Path, size: tuple[int, int]) -> None:
    source = only(pictures(tmp_path / "f", ["0.png", "1.png"], *size), layout="frames")
    with pytest.raises(UserError, match="too small"):
        greys(source)


def test_a_strip_must_be_made_of_squares(tmp_path: Path) -> None:
    path = pictures(tmp_path / "s", ["a.png"], 32, 100) / "a.png"
    found = find_sources([path])
    assert isinstance(found[0], Unreadable) and "no strip of square frames" in str(found[0].error)


def test_a_video_keeps_its_own_rate(tmp_path: Path) -> None:
    path = scenes.write(tmp_path / "v.mp4", scenes.walk(6, empty=1), fps=12.5)
    source = only(path)
    assert isinstance(source, VideoSource) and source.fps == 12.5 and source.length == 6
    assert [f.index for f in source.frames()] == list(range(6))
    assert only(path, fps=50.0).fps == 50.0
