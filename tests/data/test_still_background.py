"""Whether clips have the still background that shape templates need."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastpose.data.clips import ClipStore, ClipWriter
from fastpose.data.still_background import MOVING, measure_background, moving_share


def room(count: int = 20, side: int = 64, seed: int = 0) -> np.ndarray:
    """A wall of random blocks with a dark person who walks across its lower middle."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(60, 220, (side // 8, side // 8, 3))
    wall = np.kron(blocks, np.ones((8, 8, 1))).astype(np.uint8)
    frames = np.repeat(wall[None], count, axis=0)
    for index, frame in enumerate(frames):
        x = 20 + index % 16
        frame[16:60, x : x + 8] = 10
    return frames


def test_a_still_wall_is_still_whatever_the_person_and_the_light_do() -> None:
    frames = room()
    assert moving_share(frames) == 0.0
    light = np.linspace(0.85, 1.0, len(frames))[:, None, None, None]
    noise = np.random.default_rng(1).normal(0.0, 4.0, frames.shape)
    assert moving_share(np.clip(frames * light + noise, 0, 255).astype(np.uint8)) < 0.05


@pytest.mark.parametrize("step", [1, 3])
def test_a_panning_camera_is_not_still(step: int) -> None:
    frames = np.stack([np.roll(f, step * i, axis=1) for i, f in enumerate(room())])
    assert moving_share(frames) > MOVING


def test_one_frame_does_not_move() -> None:
    assert moving_share(room(1)) == 0.0


def test_clips_are_named_the_worst_first(tmp_path: Path) -> None:
    moving = np.stack([np.roll(f, 2 * i, axis=1) for i, f in enumerate(room())])
    with ClipWriter(tmp_path / "clips", 64) as writer:
        writer.add("still", room(), fps=25.0)
        writer.add("panned", moving, fps=25.0)
    measured = measure_background(ClipStore.open(tmp_path / "clips"))
    assert measured.unstill == ("panned",)
    assert "moves in 1 of 2 clips (panned;" in measured.report()
    with ClipWriter(tmp_path / "good", 64) as writer:
        writer.add("still", room(), fps=25.0)
    good = measure_background(ClipStore.open(tmp_path / "good"))
    assert good.report() == "background: still in all 1 clips"
