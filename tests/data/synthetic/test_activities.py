"""Every activity: its angles are named, finite, smooth and vary from draw to draw."""

from __future__ import annotations

import numpy as np
import pytest

from fastpose.data.synthetic.activities import ACTIVITIES, ease, move_arm, pulse
from fastpose.data.synthetic.body import LIMITS
from fastpose.data.synthetic.motion import KNOWN

T = np.arange(121) / 60


@pytest.mark.parametrize("name", KNOWN)
def test_angles_are_known_finite_and_smooth(name: str) -> None:
    for seed in range(4):
        curves = KNOWN[name](np.random.default_rng(seed), T)
        assert set(curves) <= set(LIMITS) | {"jump"}
        for angle, values in curves.items():
            assert values.shape == T.shape, angle
            assert np.isfinite(values).all(), angle
            # Degrees (metres for the jump) a sixtieth of a second.
            assert np.abs(np.diff(values)).max() < (0.02 if angle == "jump" else 16), angle


@pytest.mark.parametrize("name", KNOWN)
def test_two_draws_differ(name: str) -> None:
    first, second = (KNOWN[name](np.random.default_rng(seed), T) for seed in (0, 1))
    assert any(
        key not in second or not np.allclose(first[key], second[key], atol=0.5) for key in first
    )


def test_a_walk_moves_arms_against_legs() -> None:
    curves = ACTIVITIES["walk"](np.random.default_rng(0), T)
    arm, leg = curves["l_shoulder_flex"], curves["l_hip_flex"]
    assert np.corrcoef(arm, leg)[0, 1] < -0.9
    assert np.corrcoef(leg, curves["r_hip_flex"])[0, 1] < -0.9


def test_an_arm_visits_several_postures() -> None:
    t = np.arange(601) / 60
    curves = move_arm(np.random.default_rng(2), t, "l", ("hang", "up"), pause=(0.2, 0.4))
    assert np.ptp(curves["l_shoulder_flex"]) > 100


def test_ease_and_pulse() -> None:
    x = np.linspace(-1, 2, 301)
    assert (np.diff(ease(x)) >= 0).all()
    assert ease(np.array([0.0, 0.5, 1.0])).tolist() == [0.0, 0.5, 1.0]
    assert pulse(np.array([0.3, 1.3]), 0.3, 0.1).tolist() == pytest.approx([1.0, 1.0])
    assert pulse(np.array([0.8]), 0.3, 0.1)[0] < 0.05
