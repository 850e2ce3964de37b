"""Shares of correct joints, their curves, and the sizes that they are counted in."""

from __future__ import annotations

import numpy as np
import pytest

from fastpose.errors import UserError
from fastpose.evaluation.metrics.correct_points import (
    THRESHOLDS_3D,
    area_under_curve,
    box_sizes,
    correct_joints,
    correct_on_average,
    detection_curve,
    even_thresholds,
    head_sizes,
    torso_sizes,
)
from fastpose.skeletons import get_skeleton, make_skeleton

NAN = np.nan


def test_a_curve_by_hand() -> None:
    distances = np.array([[1.0, 2, NAN], [10, 30, 40]])
    sizes = np.array([10.0, 100.0])  # in sizes: .1 .2 - / .1 .3 .4
    curve = detection_curve(distances, sizes, [0, 0.1, 0.2, 0.3, 0.35, 0.4])
    assert curve.tolist() == [0, 40, 60, 80, 80, 100]
    correct = correct_joints(distances, sizes, 0.25)
    assert np.array_equal(correct, [[100, 100, NAN], [100, 0, 0]], equal_nan=True)
    mean = correct_on_average(distances, sizes, [0.15, 0.25, 0.3, 0.4])
    assert np.array_equal(mean, [[100, 75, NAN], [100, 50, 25]], equal_nan=True)
    assert area_under_curve(curve) == pytest.approx(60)


def test_frames_of_unknown_size_do_not_count() -> None:
    assert detection_curve(np.array([[1.0], [9.0]]), [NAN, 10], [0.5]).tolist() == [0]
    assert np.isnan(detection_curve(np.array([[NAN]]), 1, [0.5, 1])).all()


def test_a_distance_equal_to_the_limit_is_correct() -> None:
    assert detection_curve(np.array([[0.15, 0.1500001]]), 1, [0.15]).tolist() == [50]
    assert 0.1 * 3 > 0.3 and detection_curve(np.array([[0.1 * 3]]), 1, [0.3]).tolist() == [100]
    for step in THRESHOLDS_3D:  # also where the product of threshold and size is rounded
        assert detection_curve(np.array([[step * 0.7]]), 0.7, [step]).tolist() == [100]


def test_the_area_of_an_even_error_in_3d() -> None:
    """Joints that are all 50 mm off are correct at 21 of the 31 thresholds, 50 to 150 mm."""
    assert len(THRESHOLDS_3D) == 31 and THRESHOLDS_3D[-1] == pytest.approx(0.15)
    curve = detection_curve(np.full((4, 17), 0.05), 1, THRESHOLDS_3D)
    assert area_under_curve(curve) == pytest.approx(100 * 21 / 31)


def test_against_a_loop() -> None:
    rng = np.random.default_rng(1)
    distances, sizes = rng.random((30, 5)), rng.random(30) + 0.5
    distances[rng.random((30, 5)) < 0.2] = NAN
    thresholds = even_thresholds(0.5, 10)
    assert list(thresholds) == pytest.approx([0.05 * i for i in range(11)])
    for at, share in zip(thresholds, detection_curve(distances, sizes, thresholds), strict=True):
        inside = [
            d <= at * s for row, s in zip(distances, sizes, strict=True) for d in row if d == d
        ]
        assert share == pytest.approx(100 * sum(inside) / len(inside))


def test_sizes_of_people() -> None:
    body = get_skeleton("body13")
    pose = np.zeros((2, 13, 2))
    pose[:, body.index("l_shoulder")] = (30, 10)
    pose[:, body.index("r_hip")] = (0, 50)
    visible = np.ones((2, 13), bool)
    visible[1, body.index("r_hip")] = False
    assert np.array_equal(torso_sizes(pose, body, visible), [50, NAN], equal_nan=True)
    assert box_sizes(pose, visible).tolist() == [50, 30]
    assert box_sizes(pose, measure="diagonal").tolist() == pytest.approx([3400**0.5] * 2)
    assert np.isnan(box_sizes(pose, np.zeros((2, 13), bool))).all()
    assert head_sizes([[10, 10, 40, 50]]).tolist() == [30]  # 0.6 x 50
    headless = make_skeleton("arms", "l_wrist r_wrist", "l_wrist-r_wrist")
    with pytest.raises(UserError, match="'arms' has no joint 'l_shoulder'"):
        torso_sizes(pose[:, :2], headless)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: correct_joints(np.zeros(3), 1, 1), r"distances must be \(N,K\)"),
        (lambda: correct_joints([[-1.0]], 1, 1), "at least 0"),
        (lambda: correct_joints([[1.0]], 0, 1), "sizes must be positive"),
        (lambda: correct_joints([[1.0]], [1, 2], 1), "sizes must be a number or"),
        (lambda: correct_joints([[1.0]], 1, -0.1), "thresholds must be at least 0, got -0.1"),
        (lambda: detection_curve([[1.0]], 1, []), r"thresholds must be \(T,\)"),
        (lambda: detection_curve([[1.0]], 1, [NAN]), "thresholds must be at least 0, got"),
        (lambda: correct_on_average([[1.0]], 1, []), r"thresholds must be \(T,\)"),
        (lambda: area_under_curve([]), r"shares must be \(T,\)"),
        (lambda: head_sizes([1, 2, 3, 4]), r"boxes must be \(N,4\)"),
        (lambda: box_sizes(np.zeros((1, 2, 2)), measure="area"), "measure must be"),
    ],
)
def test_what_does_not_fit_is_named(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call()
