"""One-Euro: calms noise at rest, follows motion, and tells its delay truthfully."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastpose.errors import UserError
from fastpose.inference.smoothing import OneEuroFilter, SmoothingConfig

FPS, SIDE = 30.0, 200.0


def _run(smoother: OneEuroFilter, track: np.ndarray) -> np.ndarray:
    return np.stack([smoother(points, i / FPS, SIDE) for i, points in enumerate(track)])


def test_noise_at_rest_shrinks() -> None:
    rng = np.random.default_rng(0)
    track = 100 + rng.normal(0, 1.0, (300, 5, 2))
    smooth = _run(OneEuroFilter(), track)
    steps_before = np.abs(np.diff(track, axis=0)).mean()
    steps_after = np.abs(np.diff(smooth, axis=0)).mean()
    assert steps_after < 0.35 * steps_before
    assert abs(smooth[50:].mean() - 100) < 0.2  # calmer, not elsewhere


def test_the_delay_it_tells_is_the_delay_it_has() -> None:
    speed = 40.0  # pixels a second, constant: the trail behind a ramp is the delay
    ramp = np.repeat((speed * np.arange(200) / FPS)[:, None, None], 2, axis=2)
    smoother = OneEuroFilter(SmoothingConfig(min_cutoff=1.0, beta=0.0))
    smooth = _run(smoother, ramp)
    trailing = float((ramp - smooth)[-1].mean()) / speed
    assert smoother.mean_delay == pytest.approx(trailing, rel=0.02)
    assert trailing == pytest.approx(1 / (2 * math.pi * 1.0), rel=0.02)


def test_fast_motion_is_followed_closer_than_slow() -> None:
    def trail(speed: float) -> float:
        ramp = np.repeat((speed * np.arange(100) / FPS)[:, None, None], 2, axis=2)
        return float((ramp - _run(OneEuroFilter(), ramp))[-1].mean()) / speed

    assert trail(400.0) < 0.5 * trail(20.0)


def test_first_frame_reset_and_time_going_back_pass_unchanged() -> None:
    smoother = OneEuroFilter()
    a, b = np.zeros((2, 2)), np.full((2, 2), 50.0)
    np.testing.assert_array_equal(smoother(a, 0.0, SIDE), a)
    assert (smoother(b, 1 / FPS, SIDE) < 50).all()
    smoother.reset()
    np.testing.assert_array_equal(smoother(b, 2 / FPS, SIDE), b)
    np.testing.assert_array_equal(smoother(a, 2 / FPS, SIDE), a)


def test_the_size_of_the_video_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    track = np.cumsum(rng.normal(0, 2, (40, 3, 2)), axis=0)
    small = _run(OneEuroFilter(), track)
    large = OneEuroFilter()
    scaled = np.stack([large(4 * p, i / FPS, 4 * SIDE) for i, p in enumerate(track)])
    np.testing.assert_allclose(scaled, 4 * small, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(
    "values",
    [
        {"min_cutoff": 0},
        {"min_cutoff": math.nan},
        {"speed_cutoff": -1},
        {"beta": -1},
        {"beta": math.inf},
    ],
)
def test_parameters_that_make_no_filter(values) -> None:
    with pytest.raises(UserError, match=next(iter(values))):
        SmoothingConfig(**values)
