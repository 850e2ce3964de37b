"""Flips counted by hand on a body of six pairs and a head."""

from __future__ import annotations

import numpy as np
import pytest

from fastpose.evaluation.metrics.sides import FlipRate, flip_rates, forgive_sides, side_distances
from fastpose.skeletons import get_skeleton

BODY = get_skeleton("body13")
SIDE = 100.0


def _pose(arms: float = 20.0, legs: float = 10.0) -> np.ndarray:
    """(13,2) seen from the front: the person's left at larger x; half widths as given."""
    pose = np.zeros((13, 2))
    for i, joint in enumerate(BODY.joints):
        half = arms if joint[2:] in ("shoulder", "elbow", "wrist") else legs
        sign = {"l_": 1, "r_": -1}.get(joint[:2], 0)
        pose[i] = (50 + sign * half, 7 * i)
    for left, right in zip(range(1, 13, 2), range(2, 13, 2), strict=True):
        pose[right, 1] = pose[left, 1]
    return pose


def _exchanged(pose: np.ndarray, parts: tuple[str, ...]) -> np.ndarray:
    turned = pose.copy()
    for i, joint in enumerate(BODY.joints):
        if joint[2:] in parts:
            turned[i] = pose[BODY.mirror[i]]
    return turned


def _rates(*poses: np.ndarray, truth: np.ndarray | None = None, visible=None, **options):
    labels = np.repeat((_pose() if truth is None else truth)[None], len(poses), axis=0)
    return flip_rates(np.array(poses), labels, SIDE, BODY, visible, **options)


ARMS = ("shoulder", "elbow", "wrist")
LEGS = ("hip", "knee", "ankle")


def test_body_arms_legs_and_crossed() -> None:
    pose = _pose()
    arms, legs = _exchanged(pose, ARMS), _exchanged(pose, LEGS)
    both = _exchanged(pose, ARMS + LEGS)
    rates = _rates(pose, arms, legs, both)
    # arms are wider than legs, so a body with its arms exchanged is nearer to the exchanged label
    assert rates["body"] == FlipRate(0.5, 0.5, 4, 4)
    assert rates["arms"] == FlipRate(0.5, 0.5, 4, 4)
    assert rates["legs"] == FlipRate(0.5, 0.5, 4, 4)
    assert rates["crossed"] == FlipRate(0.5, 0.5, 4, 4)
    assert _rates(both, both)["crossed"].ungated == 0


def test_the_gate_leaves_profiles_out() -> None:
    # exchanging moves the arms 2 x half and the legs 0: the body 6 x 2 half / 13
    for half, arms, body in ((2.4, 0, 0), (2.6, 1, 0), (5.3, 1, 0), (5.5, 1, 1)):
        truth = _pose(arms=half, legs=0.0)
        rates = _rates(truth, truth=truth)
        assert rates["arms"].gated_frames == arms and rates["body"].gated_frames == body
        assert rates["legs"].gated_frames == 0 and rates["legs"].gated is None
        assert rates["crossed"].gated is None
    assert rates["legs"].ungated == 1.0  # a tie shows no sides
    assert _rates(truth, truth=truth, gate=0.2)["body"].gated_frames == 0


def test_unseen_joints_say_nothing() -> None:
    visible = np.zeros((1, 13), bool)
    visible[0, [BODY.index("l_hip"), BODY.index("r_hip")]] = True
    rates = _rates(_exchanged(_pose(), ARMS), visible=visible)
    assert rates["arms"] == FlipRate(None, None, 0, 0)
    assert rates["legs"] == FlipRate(0.0, 0.0, 1, 1) == rates["body"]
    assert rates["crossed"].frames == 0


def test_forgiven_labels() -> None:
    pose = _pose()
    predicted = np.array([pose, BODY.swap_sides(pose), pose + 1])
    labels = np.repeat(pose[None], 3, axis=0)
    visible = np.ones((3, 13), bool)
    visible[1, BODY.index("l_wrist")] = False
    truth, seen, turned = forgive_sides(predicted, labels, visible, BODY.mirror)
    assert turned.tolist() == [False, True, False]
    assert np.array_equal(truth[0], pose)
    assert not seen[1, BODY.index("r_wrist")] and seen[1, BODY.index("l_wrist")]
    assert np.array_equal(truth[1][seen[1]], BODY.swap_sides(pose)[seen[1]])


def test_distances_by_hand() -> None:
    truth = np.array([[[0.0, 0], [10, 0], [-10, 0]]])
    both = side_distances(truth, truth, np.array([[True, True, False]]), (0, 2, 1))
    assert both.plain[0, :2].tolist() == [0, 0] and np.isnan(both.plain[0, 2])
    assert np.isnan(both.exchanged[0, 1]) and both.exchanged[0, 2] == 20
    assert both.moved[0, 0] == 0 and np.isnan(both.moved[0, 1:]).all()


def test_what_does_not_fit() -> None:
    pose = _pose()[None]
    with pytest.raises(ValueError, match=r"mirror must pair the joints 0\.\.12"):
        side_distances(pose, pose, None, [0] * 13)
    with pytest.raises(ValueError, match="skeleton must have the 13 joints of truth"):
        flip_rates(pose, pose, SIDE, get_skeleton("limbs12"))
    with pytest.raises(ValueError, match="gate must be at least 0"):
        flip_rates(pose, pose, SIDE, BODY, gate=-0.1)
