"""Silhouettes from frames: moving limbs, trunks that stand still, and clips without anybody."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastpose.data.foreground import shrink, silhouettes
from tests.data.bodies import bowing, waving, write_clips


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.minimum(a, b).sum() / np.maximum(a, b).sum())


def scene(still: bool, frames: int = 30, size: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """A dark trunk with one arm that swings (still), or walking across; and the exact masks."""
    rng = np.random.default_rng(0)
    wall = np.tile([180.0, 170.0, 160.0], (size, size, 1))
    wall[::8, :, :] -= 12.0  # courses of bricks
    masks = np.zeros((frames, size, size), bool)
    for t in range(frames):
        left = 28 if still else 8 + t
        masks[t, 20:, left : left + 10] = True
        angle = np.pi * (0.25 + 0.5 * np.sin(2 * np.pi * t / frames))
        along = np.linspace(0, 16, 60)[:, None] * [np.cos(angle), np.sin(angle)]
        y = np.clip(24 + along[:, 0], 0, size - 2).astype(int)
        x = np.clip(left + 9 + along[:, 1], 0, size - 2).astype(int)
        for dy in (0, 1, 2):
            masks[t, np.minimum(y + dy, size - 1), x] = True
    video = np.where(masks[..., None], np.array([60.0, 50.0, 70.0]), wall)
    video = video + rng.normal(0.0, 3.0, video.shape)
    return np.clip(video, 0, 255).astype(np.uint8), masks


@pytest.mark.parametrize("still", [True, False])
def test_people_are_found_whole(still: bool) -> None:
    video, masks = scene(still)
    found = silhouettes(video)
    assert found.shape == masks.shape and found.dtype == np.float32
    assert found.min() >= 0.0 and found.max() <= 1.0
    assert overlap(found, masks) > 0.75


def test_a_trunk_that_never_moves_is_part_of_it() -> None:
    video, masks = scene(still=True)
    trunk = masks.all(axis=0)
    assert trunk.sum() > 300
    assert silhouettes(video)[:, trunk].mean() > 0.9


def test_an_empty_room_is_empty() -> None:
    rng = np.random.default_rng(0)
    wall = rng.integers(150, 170, (1, 48, 48, 3))
    video = np.clip(wall + rng.normal(0, 3, (12, 48, 48, 3)), 0, 255).astype(np.uint8)
    assert silhouettes(video).mean() < 0.05


def test_one_frame_and_flat_frames_do_not_fail() -> None:
    flat = np.full((1, 32, 32, 3), 90, np.uint8)
    assert silhouettes(flat).shape == (1, 32, 32)
    assert np.isfinite(silhouettes(np.repeat(flat, 4, axis=0))).all()


def test_large_frames_are_shrunk() -> None:
    video, masks = scene(still=True)
    large = video.repeat(3, axis=1).repeat(3, axis=2)
    found = silhouettes(large)
    assert found.shape == masks.shape and overlap(found, masks) > 0.75


def test_shrinking_is_the_mean() -> None:
    ramp = np.arange(2 * 8 * 8 * 1, dtype=np.uint8).reshape(2, 8, 8, 1)
    small = shrink(ramp, 4)
    np.testing.assert_allclose(small[0, 0, 0, 0], ramp[0, :2, :2].mean())
    assert shrink(ramp, 8).dtype == np.float32
    assert shrink(ramp, 3).shape == (2, 3, 3, 1)
    np.testing.assert_allclose(shrink(ramp, 3)[0, 2, 2, 0], ramp[0, 5:, 5:].mean())


def test_clips_of_bodies(tmp_path: Path) -> None:
    store = write_clips(tmp_path / "c", [waving(), bowing()])
    for clip in store.clips:
        dark = np.asarray(clip.frames).astype(int)[..., 0] < 110
        assert overlap(silhouettes(np.asarray(clip.frames)), dark) > 0.7, clip.name


def test_real_clips_show_whole_people(shared_data: Path) -> None:
    from fastpose.media.images import read_image

    for name in ("00000011", "00000024", "00000056"):
        strip = read_image(shared_data / f"weizmann/{name}.jpg")
        video = strip.reshape(64, -1, 64, 3).transpose(1, 0, 2, 3)
        found = silhouettes(video) > 0.5
        # Trunk and legs are part of the person in every frame; the borders show the wall.
        assert found[:, 34:44].any(axis=2).mean() > 0.97, name
        assert found[:, 54:62].any(axis=2).mean() > 0.9, name
        assert 0.08 < found.mean() < 0.25, name
        assert found[:, :, :3].mean() < 0.05 and found[:, :5].mean() < 0.1, name
