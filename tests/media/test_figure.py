from __future__ import annotations

import numpy as np
import pytest

from fastpose.media.figure import Figure
from tests.media import scenes


def truth(frame_number: int, count: int = 48) -> np.ndarray:
    """Where the waving person of the scene is, (H, W) bool."""
    arm = float(0.9 * np.sin(np.arange(count) * 0.35)[frame_number])
    black = np.zeros((96, 96, 3), np.uint8)
    return scenes.figure(black, 48, 14, 68, arm=arm).max(axis=2) > 60


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return scenes.wave(48)


@pytest.fixture(scope="module")
def figure(frames: np.ndarray) -> Figure:
    return Figure(frames, noise=1.5)


def test_only_the_arms_move(figure: Figure) -> None:
    assert 0.005 < figure.moving.mean() < 0.2
    assert not figure.moving[60:, :].any()  # the legs are at rest


@pytest.mark.parametrize("number", [0, 13, 40])
def test_the_whole_person_is_found_at_rest_or_moving(
    figure: Figure, frames: np.ndarray, number: int
) -> None:
    mask = figure.mask(frames[number])
    assert mask.dtype == np.float32 and mask.min() >= 0 and mask.max() <= 1
    found, expected = mask > 0.5, truth(number)
    overlap = (found & expected).sum() / (found | expected).sum()
    assert overlap > 0.6, overlap
    assert (found & expected).sum() / expected.sum() > 0.75
    legs = expected.copy()
    legs[:55] = False
    assert (found & legs).sum() / legs.sum() > 0.6


def test_the_background_is_filled_in_behind_the_person(figure: Figure) -> None:
    scene = scenes.room(96, 96).astype(int)
    error = np.abs(figure.background.astype(int) - scene).mean(axis=2)
    assert error[:, :15].mean() < 3 and error[:, -15:].mean() < 3
    assert error[truth(0)].mean() < 30  # the person itself is about 80 off
    assert figure.known[:, :15].mean() > 0.95 and figure.known[truth(0)].mean() < 0.7


def test_a_clip_without_movement_and_one_all_over_do_no_harm() -> None:
    still = Figure(scenes.noisy([scenes.room(48, 48)] * 8), noise=1.5)
    assert still.mask(scenes.room(48, 48)).shape == (48, 48)
    rng = np.random.default_rng(0)
    storm = rng.integers(0, 256, (8, 48, 48, 3), np.uint8)
    assert np.isfinite(Figure(storm, noise=30.0).mask(storm[0])).all()


def test_is_deterministic(frames: np.ndarray) -> None:
    first, second = Figure(frames, 1.5), Figure(frames, 1.5)
    np.testing.assert_array_equal(first.mask(frames[5]), second.mask(frames[5]))
