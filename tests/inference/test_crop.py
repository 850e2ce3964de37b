"""Windows over time: full frames, and a window that follows the joints."""

from __future__ import annotations

import numpy as np
import pytest

from fastpose.inference.crop import FollowCrop, FullCrop

FRAMING = {"fill": 0.5, "center_x": 0.5, "center_y": 0.5}


def _person(x: float, y: float, extent: float) -> np.ndarray:
    """Three joints whose box is centred on (x, y), `extent` high and half as wide."""
    half = extent / 2
    return np.array([[x, y - half], [x - half / 2, y], [x + half / 2, y + half]])


def test_full_never_moves() -> None:
    crop = FullCrop()
    assert crop.window(0, 40, 60) == (-0.5, -10.5, 60.0)
    crop.observe(_person(5, 5, 5))
    assert crop.window(1, 40, 60) == (-0.5, -10.5, 60.0)
    assert not crop.looks_back


def test_follow_settles_on_a_person_at_rest() -> None:
    crop = FollowCrop(FRAMING)
    for index in range(40):
        window = crop.window(index, 480, 640)
        crop.observe(_person(200, 220, 100))
    x0, y0, side = window
    assert side == pytest.approx(200, rel=0.01)  # the box fills half of it
    assert x0 + side / 2 == pytest.approx(200, abs=1) and y0 + side / 2 == pytest.approx(220, abs=1)
    assert crop.looks_back


def test_follow_keeps_up_with_a_walk() -> None:
    crop = FollowCrop(FRAMING)
    for index in range(100):
        x = 100 + 4.0 * index
        x0, _, side = crop.window(index, 480, 640)
        crop.observe(_person(x, 240, 160))
        if index > 10:
            assert x0 < x - 40 and x + 40 < x0 + side


def test_follow_respects_where_the_person_sat_in_training() -> None:
    crop = FollowCrop({"fill": 0.8, "center_x": 0.4, "center_y": 0.6}, inertia=0.0)
    crop.window(0, 480, 640)
    crop.observe(_person(300, 200, 120))
    x0, y0, side = crop.window(1, 480, 640)
    assert side == pytest.approx(150)
    assert (300 - x0) / side == pytest.approx(0.4) and (200 - y0) / side == pytest.approx(0.6)


@pytest.mark.parametrize(
    "lost", [None, _person(900, 200, 100), _person(-50, 200, 100), _person(300, 200, 1.0)]
)
def test_follow_starts_again_when_the_person_is_lost(lost) -> None:
    crop = FollowCrop(FRAMING)
    whole = crop.window(0, 480, 640)
    crop.observe(_person(200, 200, 100))
    assert crop.window(1, 480, 640) != whole
    crop.observe(lost)
    assert crop.window(2, 480, 640) == whole


def test_follow_starts_again_when_the_frame_changes_size() -> None:
    crop = FollowCrop(FRAMING)
    crop.window(0, 480, 640)
    crop.observe(_person(200, 200, 100))
    assert crop.window(1, 240, 320) == (-0.5, -40.5, 320.0)


def test_a_window_never_grows_without_bound() -> None:
    crop = FollowCrop(FRAMING)
    for index in range(50):
        x0, y0, side = crop.window(index, 100, 100)
        crop.observe(np.array([[x0, y0], [x0 + side, y0 + side], [50.0, 50.0]]))
    assert side <= 200
