"""Distances and their means against numbers worked out by hand and numbers of papers."""

from __future__ import annotations

import numpy as np
import pytest

from fastpose.evaluation.metrics.distances import (
    frame_means,
    joint_distances,
    joint_means,
    mean_distance_percent,
    mean_over_frames,
    mean_squared_percent,
)

TRUTH = np.array([[[10.0, 10], [20, 20]], [[30, 30], [40, 40]]])
PREDICTED = TRUTH + np.array([[[3, 4], [0, 0]], [[6, 8], [0, 5]]])  # 5, 0 and 10, 5 away
HALF = np.array([[True, True], [False, True]])


def test_distances_and_their_means() -> None:
    distances = joint_distances(PREDICTED, TRUTH)
    assert distances.tolist() == [[5, 0], [10, 5]]
    assert frame_means(distances).tolist() == [2.5, 7.5]
    assert joint_means(distances).tolist() == [7.5, 2.5]
    hidden = joint_distances(PREDICTED, TRUTH, HALF)
    assert np.isnan(hidden[1, 0]) and frame_means(hidden).tolist() == [2.5, 5]
    assert joint_means(hidden).tolist() == [5, 2.5]


def test_percent_and_percent_squared_are_two_numbers() -> None:
    assert mean_distance_percent(PREDICTED, TRUTH, 200) == pytest.approx(2.5)  # (2.5 + 7.5) / 2
    # (25 + 0) / 2 and (100 + 25) / 2 pixels squared, of 200 x 200
    assert mean_squared_percent(PREDICTED, TRUTH, 200) == pytest.approx(100 * 37.5 / 40000)
    assert mean_squared_percent(PREDICTED, TRUTH, 10) == pytest.approx(37.5)  # pixels squared
    assert mean_distance_percent(PREDICTED, TRUTH, 200, HALF) == pytest.approx(1.875)
    assert mean_squared_percent(PREDICTED, TRUTH, 200, HALF) == pytest.approx(100 * 18.75 / 40000)


def test_each_frame_has_its_own_side() -> None:
    assert mean_distance_percent(PREDICTED, TRUTH, [100, 300]) == pytest.approx(2.5)
    assert mean_squared_percent(PREDICTED, TRUTH, [100, 50]) == pytest.approx(
        100 * (12.5 / 100**2 + 62.5 / 50**2) / 2
    )


def test_against_loops() -> None:
    rng = np.random.default_rng(0)
    predicted, truth = rng.normal(size=(2, 20, 7, 3))
    visible = rng.random((20, 7)) < 0.7
    plain, squared = [], []
    for p, t, v in zip(predicted, truth, visible, strict=True):
        apart = [
            sum((a - b) ** 2 for a, b in zip(p[k], t[k], strict=True)) for k in range(7) if v[k]
        ]
        if apart:
            plain.append(sum(d**0.5 for d in apart) / len(apart))
            squared.append(sum(apart) / len(apart))
    assert mean_distance_percent(predicted, truth, 2, visible) == pytest.approx(50 * np.mean(plain))
    assert mean_squared_percent(predicted, truth, 2, visible) == pytest.approx(
        25 * np.mean(squared)
    )


def test_frames_in_which_nothing_counts() -> None:
    values = np.array([1.0, np.nan, 3.0])
    assert mean_over_frames(values) == 2.0 and np.isnan(mean_over_frames(values[1:2]))
    assert mean_over_frames(np.array([np.inf, 1.0])) == np.inf


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (PREDICTED[0], TRUTH[0]),
            r"truth must be \(N,K,2\) or \(N,K,3\) with K > 0, got \(2, 2\)",
        ),
        ((PREDICTED[:1], TRUTH), r"predicted must have the shape of truth \(2, 2, 2\)"),
        (("far", TRUTH), "predicted must be an array of numbers, got str"),
        (
            (np.where(PREDICTED > 39, np.nan, PREDICTED), TRUTH),
            r"predicted must be finite, .* at frame 1, joint \d$",
        ),
        ((PREDICTED, np.full_like(TRUTH, np.nan), HALF), "truth must be finite where visible"),
        ((PREDICTED, TRUTH, HALF.astype(int)), r"visible must be bool \(2, 2\), got int64"),
        ((PREDICTED, TRUTH, HALF[:1]), r"visible must be bool \(2, 2\), got bool \(1, 2\)"),
    ],
)
def test_what_does_not_fit_is_named(arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        joint_distances(*arguments)


@pytest.mark.parametrize("side", [0, -3.0, [100], np.inf, [64, 0]])
def test_sides_that_do_not_fit(side) -> None:
    with pytest.raises(ValueError, match="side must be"):
        mean_distance_percent(PREDICTED, TRUTH, side)
