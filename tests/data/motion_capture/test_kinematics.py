"""Rotations, chains, axes and units."""

from __future__ import annotations

import numpy as np
import pytest

from fastpose.data.motion_capture.kinematics import (
    axis_rotation,
    euler_rotation,
    forward_kinematics,
    guess_unit,
    turned_upright,
    up_axis,
)


@pytest.mark.parametrize(("axis", "from_", "to"), [("x", 1, 2), ("y", 2, 0), ("z", 0, 1)])
def test_quarter_turns_follow_the_right_hand(axis: str, from_: int, to: int) -> None:
    turned = axis_rotation(axis, np.array(90.0)) @ np.eye(3)[from_]
    np.testing.assert_allclose(turned, np.eye(3)[to], atol=1e-12)


def test_the_first_axis_is_the_outermost() -> None:
    angles = np.array([30.0, -50.0, 70.0])
    expected = (
        axis_rotation("z", angles[0])
        @ axis_rotation("x", angles[1])
        @ axis_rotation("y", angles[2])
    )
    np.testing.assert_allclose(euler_rotation("zxy", angles), expected, atol=1e-12)
    assert euler_rotation("", np.zeros((4, 0))).shape == (4, 3, 3)


def test_a_chain_of_two_bones() -> None:
    parents = [-1, 0, 1]
    offsets = np.array([[9.0, 9.0, 9.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    rotations = np.broadcast_to(np.eye(3), (1, 3, 3, 3)).copy()
    rotations[0, 0] = axis_rotation("z", np.array(90.0))
    rotations[0, 1] = axis_rotation("z", np.array(90.0))
    found = forward_kinematics(parents, offsets, rotations, np.array([[5.0, 0.0, 0.0]]))
    expected = [[5.0, 0.0, 0.0], [5.0, 1.0, 0.0], [4.0, 1.0, 0.0]]
    np.testing.assert_allclose(found[0], expected, atol=1e-12)


@pytest.mark.parametrize("up", ["x", "y", "z"])
def test_turning_upright_keeps_the_hand(up: str) -> None:
    axes = np.eye(3)
    turned = turned_upright(axes, up)
    np.testing.assert_allclose(turned["xyz".index(up)], [0.0, 1.0, 0.0], atol=1e-12)
    assert np.linalg.det(turned) == pytest.approx(1.0)


def test_the_upward_axis() -> None:
    lower = np.zeros((5, 3))
    upper = lower + np.array([0.1, -0.2, 1.0])
    assert up_axis(lower, upper) == "z"


@pytest.mark.parametrize(
    ("height", "unit"),
    [(1.7, 1.0), (170.0, 0.01), (1650.0, 0.001), (66.0, 0.0254), (29.0, 0.0254 / 0.45)],
)
def test_units_are_guessed_from_the_height(height: float, unit: float) -> None:
    assert guess_unit(height) == pytest.approx(unit)


def test_a_body_of_no_known_unit_becomes_an_adult() -> None:
    assert guess_unit(43.0) * 43.0 == pytest.approx(1.7)
