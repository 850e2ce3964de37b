"""Which frames a predictor is shown, and how its answers become scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastpose.data.clips import ClipStore
from fastpose.errors import UserError
from fastpose.evaluation.baselines import evaluate, predict_frames
from fastpose.evaluation.labels import labels_of_store
from fastpose.evaluation.report import MEAN_POSE, MODEL, RANDOM_POSE, picked_frames
from tests.evaluation.painted import MIRRORED, POSE, SIZE, Answers, fixed_prior, write_clips


@pytest.fixture
def store(tmp_path: Path) -> ClipStore:
    """Three frames of walking, one of waving, all labelled POSE, and two without labels."""
    three, one = np.repeat(POSE[None], 3, axis=0), POSE[None]
    clips = [
        {"frames": 2},
        {"frames": 3, "keypoints": three, "activity": "walk"},
        {"frames": 1, "keypoints": one, "activity": "wave"},
    ]
    return write_clips(tmp_path / "clips", clips)


def _score(store: ClipStore, points: np.ndarray, **options):
    labels = labels_of_store(store)
    return evaluate(Answers(points), store, labels, fixed_prior(), **options)


def test_labelled_frames_are_shown_in_batches(store) -> None:
    predict, steps = Answers(np.repeat(POSE[None], 6, axis=0)), []
    poses = predict_frames(
        predict, store, labels_of_store(store), 3, lambda done, total: steps.append((done, total))
    )
    assert predict.batches == [[2, 3, 4], [5]] and steps == [(3, 4), (4, 4)]
    assert poses.points.shape == (4, 3, 2)


def test_a_perfect_predictor_and_its_baselines(store) -> None:
    report, poses = _score(store, np.repeat(POSE[None], 6, axis=0))
    assert report.model.mean.error_percent == report.model.all_frames.error_percent == 0
    middle = report.methods[MEAN_POSE].mean
    assert middle.error_percent == pytest.approx(100 * (40 + 30 + 30) / 3 / SIZE)
    assert middle.error_forgiven_percent == middle.error_percent
    assert report.methods[RANDOM_POSE].mean.error_percent == pytest.approx(0, abs=1e-4)
    assert report.joints == ("head", "r_wrist", "l_wrist") and report.side == SIZE
    assert np.array_equal(poses.points, np.repeat(POSE[None], 4, axis=0))


def test_activities_count_the_same(store) -> None:
    points = np.repeat(POSE[None], 6, axis=0)
    points[5] = MIRRORED  # the only frame of waving
    report, _ = _score(store, points)
    one = 100 * 40 / SIZE
    activities = report.model.activities
    assert [activities[a].error_percent for a in ("walk", "wave")] == pytest.approx([0, one])
    assert [activities[a].frames for a in ("walk", "wave")] == [3, 1]
    assert report.model.mean.error_percent == pytest.approx(one / 2)
    assert report.model.all_frames.error_percent == pytest.approx(one / 4)
    assert report.model.mean.error_forgiven_percent == 0
    assert report.model.mean.correct_sides == 0.5


def test_named_joints_alone_are_scored(store) -> None:
    points = np.repeat(POSE[None], 6, axis=0)
    points[:, 0, 0] += 30  # the head
    report, _ = _score(store, points, joints=["r_wrist", "l_wrist"])
    assert report.joints == ("r_wrist", "l_wrist") and report.model.mean.error_percent == 0
    report, _ = _score(store, points, joints=["head"])
    assert report.model.mean.error_percent == pytest.approx(100 * 30 / SIZE)


def test_joints_that_cannot_be_scored(store) -> None:
    points = np.repeat(POSE[None], 6, axis=0)
    with pytest.raises(UserError, match="l_wrist must be scored together with the other side"):
        _score(store, points, joints=["l_wrist"])
    with pytest.raises(UserError, match="l_knee"):
        _score(store, points, joints=["l_knee"])


def test_a_predictor_that_loses_frames(store) -> None:
    with pytest.raises(ValueError, match="gave 1 poses for 3 frames"):
        predict_frames(
            lambda frames: Answers(np.repeat(POSE[None], 6, axis=0))(frames[:1]),
            store,
            labels_of_store(store),
            3,
        )


def test_a_predictor_that_diverged(store) -> None:
    points = np.repeat(POSE[None], 6, axis=0)
    points[4, 1] = np.nan
    with pytest.raises(UserError, match=r"points are not finite on frames 0 to 3 of .*diverged"):
        _score(store, points)


def test_no_visible_joint(tmp_path) -> None:
    clip = {"frames": 1, "keypoints": POSE[None], "visible": np.zeros((1, 3), bool)}
    with pytest.raises(UserError, match="no frame has a visible joint"):
        _score(write_clips(tmp_path / "clips", [clip]), POSE[None])


def test_best_and_worst_frames(store) -> None:
    points = np.repeat(POSE[None], 6, axis=0)
    points += np.array([0, 0, 20, 0, 10, 30], np.float32)[:, None, None]
    report, _ = _score(store, points)
    assert report.errors is not None and MODEL in report.methods
    picked = picked_frames(report.errors.forgiven, 2)
    assert picked["best"].tolist() == [1, 2] and picked["worst"].tolist() == [3, 0]
    assert picked["median"].tolist() == [2, 0]
