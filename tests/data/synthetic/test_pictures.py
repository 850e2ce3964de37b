"""Backgrounds from a folder of pictures: what is shown, from the seed alone, and bad folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastpose.data.synthetic import Backgrounds, CameraConfig, SyntheticConfig, SyntheticPeople
from fastpose.errors import UserError
from fastpose.media.images import write_image

SIZE = 32


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A red and a green picture, and one in a sub-folder that is blue, besides other files."""
    path = tmp_path / "pictures"
    (path / "more").mkdir(parents=True)
    colors = {"a.png": (200, 0, 0), "b.jpg": (0, 200, 0), "more/c.png": (0, 0, 200)}
    for name, color in colors.items():
        write_image(path / name, np.full((40, 60, 3), color, np.uint8))
    (path / "notes.txt").write_text("no picture")
    (path / ".hidden.png").write_text("no picture either")
    return path


def people(folder: Path | None, *, seed: int = 3, scene: str = "wall") -> SyntheticPeople:
    backgrounds = None if folder is None else Backgrounds(folder)
    config = SyntheticConfig(scene=scene, difficulty=0.0, furniture=1)
    return SyntheticPeople(SIZE, 2, seed=seed, config=config, backgrounds=backgrounds)


def test_files_are_found_in_the_order_of_their_names(folder: Path) -> None:
    names = [file.relative_to(folder).as_posix() for file in Backgrounds(folder).files]
    assert names == ["a.png", "b.jpg", "more/c.png"]


def test_every_picture_is_drawn_and_filled_from_within(folder: Path) -> None:
    backgrounds, seen = Backgrounds(folder), set()
    for seed in range(24):
        plate = backgrounds.room(np.random.default_rng(seed), SIZE).plate
        assert plate.shape == (SIZE, SIZE, 3) and plate.dtype == np.float32
        assert float(np.ptp(plate, axis=(0, 1)).max()) < 0.02  # nothing from beyond the picture
        seen.add(int(plate[0, 0].argmax()))
    assert seen == {0, 1, 2}


def test_a_window_is_square_somewhere_and_mirrored_half_of_the_time(tmp_path: Path) -> None:
    ramp = np.zeros((64, 128, 3), np.uint8)
    ramp[..., 0], ramp[..., 1] = 2 * np.arange(128), 4 * np.arange(64)[:, None]
    write_image(tmp_path / "ramp.png", ramp)
    backgrounds = Backgrounds(tmp_path)
    plates = [255 * backgrounds.room(np.random.default_rng(s), SIZE).plate for s in range(60)]
    slopes = np.array([p[:, -4, 0].mean() - p[:, 3, 0].mean() for p in plates]) / 2
    falls = np.array([p[-4, :, 1].mean() - p[3, :, 1].mean() for p in plates]) / 4
    assert np.abs(np.abs(slopes) - falls).max() < 2.0  # as wide as high, in the picture's pixels
    assert 0.25 < (slopes < 0).mean() < 0.75
    share = falls * SIZE / (SIZE - 7) / 64
    assert share.min() > 0.45 and share.max() < 1.05 and np.ptp(share) > 0.3
    middles = np.array([p[16, 16, 0] / 2 for p in plates])
    assert np.ptp(middles) > 30  # anywhere along the picture


def test_clips_show_pictures_and_depend_on_the_seed_alone(folder: Path) -> None:
    first, again = people(folder).clip(5), people(folder).clip(5)
    for name in ("frames", "background", "mask"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    assert (people(folder, seed=4).clip(5).keypoints != first.keypoints).any()
    channels = {int(people(folder).clip(i).background.mean(axis=(0, 1)).argmax()) for i in range(9)}
    assert len(channels) > 1


@pytest.mark.parametrize("scene", ["wall", "room", "cot"])
def test_any_scene_gives_way_to_pictures(folder: Path, scene: str) -> None:
    clip = people(folder, scene=scene).clip(0)
    beside = clip.frames[0][clip.mask[0] == 0]
    color = np.median(beside, axis=0)
    assert sorted(color)[1] < 40 and max(color) > 150  # red, green or blue, as the pictures are


def test_the_person_is_the_one_of_the_same_seed(folder: Path) -> None:
    with_pictures, without = people(folder).clip(1), people(None).clip(1)
    assert with_pictures.actor == without.actor and with_pictures.activity == without.activity
    assert np.array_equal(with_pictures.keypoints, without.keypoints)


def test_folders_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="missing: no such folder; name a folder of pictures"):
        Backgrounds(tmp_path / "missing")
    (tmp_path / "file.png").write_bytes(b"x")
    with pytest.raises(UserError, match=r"file\.png: is a file; name a folder"):
        Backgrounds(tmp_path / "file.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty: holds no picture for a background \(\.bmp"):
        Backgrounds(tmp_path / "empty")


def test_a_picture_that_does_not_decode_is_named(folder: Path) -> None:
    (folder / "a.png").write_bytes(b"no picture at all")
    with pytest.raises(UserError, match=r"a\.png: is not a picture"):
        Backgrounds(folder)
    for name in ("b.jpg", "more/c.png"):
        (folder / name).unlink()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    write_image(folder / "a.png", noise)
    whole = (folder / "a.png").read_bytes()
    (folder / "a.png").write_bytes(whole[: len(whole) // 2])  # its header is there
    with pytest.raises(UserError, match=r"a\.png: the picture is damaged"):
        people(folder).clip(0)


def test_a_shared_background_is_not_a_picture_of_each_clip(folder: Path) -> None:
    config = SyntheticConfig(camera=CameraConfig(window=2.5))
    with pytest.raises(UserError, match="pictures behind people differ"):
        SyntheticPeople(SIZE, 2, config=config, backgrounds=Backgrounds(folder))
