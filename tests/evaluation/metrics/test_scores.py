"""Distances against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from fastpose.evaluation.metrics.scores import Scores, frame_errors, mean_scores, unweighted_mean
from tests.evaluation.painted import MIRRORED, POSE, SKELETON

MIRROR = SKELETON.mirror
ALL = np.ones((1, 3), bool)


def _errors(predicted, labels=POSE, visible=ALL, side=100.0):
    return frame_errors(np.array([predicted]), np.array([labels]), visible, MIRROR, side)


def test_a_perfect_pose() -> None:
    errors = _errors(POSE)
    assert errors.plain == [0] and errors.forgiven == [0]
    assert errors.correct.all() and errors.judged.all()


def test_a_mirrored_pose_is_forgiven_but_has_its_sides_wrong() -> None:
    errors = _errors(MIRRORED)
    assert errors.plain == pytest.approx([40])  # (0 + 60 + 60) / 3
    assert errors.forgiven == [0] and not errors.correct.any() and errors.judged.all()


def test_one_point_for_all_joints() -> None:
    errors = _errors(np.full((3, 2), 50))
    assert errors.plain == pytest.approx([100 / 3])  # (40 + 30 + 30) / 3
    assert errors.forgiven == errors.plain
    assert not errors.correct.any()  # a tie shows no sides


def test_percent_of_the_side() -> None:
    assert _errors(POSE + np.array([3, 4]), side=200.0).plain == pytest.approx([2.5])
    assert _errors(POSE + np.array([3, 4]), side=50.0).plain == pytest.approx([10])


def test_unseen_joints_do_not_count_whatever_they_hold() -> None:
    labels = POSE.copy()
    labels[2] = np.nan
    predicted = POSE + np.array([[3, 4], [0, 0], [1000, 1000]])
    errors = _errors(predicted, labels, np.array([[True, True, False]]))
    assert errors.plain == pytest.approx([2.5])  # (5 + 0) / 2
    assert errors.forgiven == pytest.approx([2.5])
    assert not _errors(POSE, visible=np.zeros((1, 3), bool)).correct.any()
    assert np.isnan(_errors(POSE, visible=np.zeros((1, 3), bool)).plain).all()


def test_sides_are_not_judged_in_profile() -> None:
    # exchanging sides moves (0 + d + d) / 3; the gate is 5 percent of the side
    for apart, judged in ((7.4, False), (7.6, True)):
        profile = np.array([[50, 10], [50, 50], [50 + apart, 50]])
        assert _errors(profile, profile).judged.tolist() == [judged]


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="predicted must have the shape of truth"):
        frame_errors(np.zeros((2, 3, 2)), np.zeros((1, 3, 2)), ALL, MIRROR, 1)


def test_means_over_frames_and_over_activities() -> None:
    predicted = np.stack([POSE, POSE, POSE, MIRRORED, POSE])
    visible = np.ones((5, 3), bool)
    visible[4] = False  # counts nowhere
    errors = frame_errors(predicted, np.stack([POSE] * 5), visible, MIRROR, 100.0)
    every = mean_scores(errors)
    assert (every.frames, every.error_percent) == (4, pytest.approx(10))
    assert every.correct_sides == every.correct_sides_judged == 0.75
    walk = mean_scores(errors, np.array([1, 1, 1, 0, 0], bool))
    wave = mean_scores(errors, np.array([0, 0, 0, 1, 1], bool))
    mean = unweighted_mean([walk, wave])
    assert (mean.frames, mean.error_percent) == (4, pytest.approx(20))  # not 10: (0 + 40) / 2
    assert mean.correct_sides == mean.correct_sides_judged == 0.5
    with pytest.raises(ValueError, match="no frame"):
        mean_scores(errors, np.array([0, 0, 0, 0, 1], bool))
    with pytest.raises(ValueError, match="no scores"):
        unweighted_mean([])


def test_activities_in_profile_leave_the_judged_share_alone() -> None:
    profile, judged = Scores(2, 1.0, 1.0, 0.5, None), Scores(1, 3.0, 1.0, 1.0, 0.8)
    assert unweighted_mean([profile, judged]).correct_sides_judged == 0.8
    assert unweighted_mean([profile]).correct_sides_judged is None
    assert Scores(1, 1 / 3, 0.0, 1.0, None).to_dict() == {
        "frames": 1,
        "error_percent": 0.3333,
        "error_forgiven_percent": 0.0,
        "correct_sides": 1.0,
        "correct_sides_judged": None,
    }
