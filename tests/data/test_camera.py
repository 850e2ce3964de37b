"""Projection through random cameras, and joints that leave the picture."""

from __future__ import annotations

import numpy as np
import pytest

from fastpose.data.camera import project, pull_inside

POINTS = np.array([[[0.0, 0.0, 0.0], [0.2, 0.5, 0.0], [0.0, 1.0, 0.1]]])


def view(points: np.ndarray, **angles: float) -> np.ndarray:
    given = {"yaw": 0.0, "pitch": 0.0, "roll": 0.0, "distance": 1e6} | angles
    values = {k: np.full(len(points), v) for k, v in given.items()}
    return project(points, **values)


def test_from_the_front() -> None:
    found = view(POINTS)[0]
    # The person's left is on the right of the picture, up is up (y falls), the ground is at 0.
    np.testing.assert_allclose(found, [[0.0, 0.0], [0.2, -0.5], [0.0, -1.0]], atol=1e-6)


@pytest.mark.parametrize(("yaw", "x"), [(90.0, 0.1), (-90.0, -0.1), (180.0, 0.0)])
def test_yaw_turns_the_front_to_the_right(yaw: float, x: float) -> None:
    assert view(POINTS, yaw=yaw)[0, 2, 0] == pytest.approx(x, abs=1e-6)


def test_looking_down_lowers_what_is_near() -> None:
    flat = view(np.array([[[0.0, 0.5, 0.3]]]))[0, 0, 1]
    assert view(np.array([[[0.0, 0.5, 0.3]]]), pitch=20.0)[0, 0, 1] > flat


def test_roll_is_clockwise() -> None:
    top = view(np.array([[[0.0, 1.0, 0.0]]]), roll=10.0)[0, 0]
    assert top[0] > 0.0


def test_near_things_are_larger_and_the_roots_depth_keeps_its_size() -> None:
    points = np.array([[[0.3, 0.5, 0.0], [0.3, 0.5, 0.5], [0.3, 0.5, -0.5]]])
    x = view(points, distance=3.0)[0, :, 0]
    assert x[0] == pytest.approx(0.3) and x[1] > x[0] > x[2]
    assert x[1] == pytest.approx(0.3 * 3.0 / 2.5)


def test_every_pose_has_its_own_camera() -> None:
    two = np.repeat(POINTS, 2, axis=0)
    full = np.ones(2)
    found = project(two, np.array([0.0, 90.0]), 0 * full, 0 * full, 1e6 * full)
    np.testing.assert_allclose(found[1], view(POINTS, yaw=90.0)[0], atol=1e-9)


LEG = np.array([[1, 0], [2, 1]])  # knee on hip, ankle on knee


def test_a_cut_leg_keeps_its_direction() -> None:
    leg = np.array([[[0.0, 0.5], [0.2, 0.9], [0.4, 1.6]]])
    hip, knee, ankle = pull_inside(leg, LEG, 1.0)[0]
    np.testing.assert_allclose(hip, [0.0, 0.5])
    np.testing.assert_allclose(knee, [0.2, 0.9])
    np.testing.assert_allclose(ankle, [0.2 + 0.2 / 7.0, 1.0], atol=1e-9)


def test_a_limb_outside_collapses_at_the_border() -> None:
    leg = np.array([[[0.1, 0.8], [0.1, 1.2], [0.1, 1.6]]])
    found = pull_inside(leg, LEG, 1.0)[0]
    np.testing.assert_allclose(found, [[0.1, 0.8], [0.1, 1.0], [0.1, 1.0]])


def test_joints_stay_outside_up_to_the_limit() -> None:
    leg = np.array([[[0.1, 0.8], [0.1, 1.2], [0.1, 1.6]]])
    assert pull_inside(leg, LEG, 1.3)[0, :, 1].tolist() == pytest.approx([0.8, 1.2, 1.3])


def test_what_is_inside_is_not_touched() -> None:
    inside = np.random.default_rng(0).uniform(-1, 1, (20, 3, 2))
    kept = pull_inside(inside, LEG, 1.0)
    np.testing.assert_array_equal(kept, inside)
    assert kept is not inside


def test_wild_points_come_back_finite() -> None:
    wild = np.random.default_rng(1).normal(0, 5, (200, 3, 2))
    wild[0, 1] = wild[0, 0]
    found = pull_inside(wild, LEG, 1.0)
    assert np.isfinite(found).all() and np.abs(found).max() <= 1.0
    assert np.abs(pull_inside(wild, np.zeros((0, 2), int), 1.0)).max() <= 1.0
