"""Run a detector over labelled frames and score it next to the pose prior's own guesses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from fastpose.data.clips import ClipStore
from fastpose.data.pose_prior import PosePrior
from fastpose.errors import UserError
from fastpose.evaluation.cases import paired_joints, restrict
from fastpose.evaluation.labels import Labels
from fastpose.evaluation.metrics.scores import (
    FrameErrors,
    frame_errors,
    mean_scores,
    unweighted_mean,
)
from fastpose.evaluation.report import (
    MEAN_POSE,
    MODEL,
    RANDOM_POSE,
    EvaluationReport,
    MethodReport,
)
from fastpose.poses import Poses
from fastpose.skeletons import Skeleton, conversion_matrix

Predict = Callable[[np.ndarray], Poses]


def evaluate(
    predict: Predict,
    store: ClipStore,
    labels: Labels,
    prior: PosePrior,
    *,
    joints: Sequence[str] | None = None,
    batch_size: int = 64,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[EvaluationReport, Poses]:
    """Score ``predict`` on every labelled frame.

    Args:
        predict: uint8 frames (B,S,S,3) to poses in pixels of these frames.
        store: the clips; their ``activity`` groups the scores.
        labels: see ``evaluation.labels``.
        prior: gives the baselines.
        joints: names of the joints to score; by default all that are labelled and predicted.
        batch_size: frames a call.
        seed: of the random poses.
        progress: called with frames done and frames in all.

    Returns:
        the report, and the predicted poses in the order of ``labels``.

    Raises:
        UserError: labels and predictions share no joint, or a named joint is missing.
    """
    if not len(labels):
        raise UserError(f"{labels.source}: no labelled frame to score")
    poses = predict_frames(predict, store, labels, batch_size, progress)
    scored = _scored_joints(labels.skeleton, poses.skeleton, prior.skeleton, joints)
    truth = _convert(np.nan_to_num(labels.points), labels.skeleton, scored)
    visible = labels.visible[:, [labels.skeleton.index(j) for j in scored.joints]]
    activities = np.array([store.clips[i].activity or "all" for i in labels.clip])
    rng = np.random.default_rng(seed)
    to_pixels = 0.5 * (store.size - 1)
    mean = np.broadcast_to(prior.mean_pose(), (len(labels), len(prior.skeleton.joints), 2))
    guesses = {
        MODEL: _convert(poses.points, poses.skeleton, scored),
        MEAN_POSE: _convert((mean + 1.0) * to_pixels, prior.skeleton, scored),
        RANDOM_POSE: _convert(
            (prior.sample(len(labels), rng) + 1.0) * to_pixels, prior.skeleton, scored
        ),
    }
    errors = {
        name: frame_errors(points, truth, visible, scored.mirror, store.size)
        for name, points in guesses.items()
    }
    report = EvaluationReport(
        {name: _summary(e, activities, labels.source) for name, e in errors.items()},
        scored.joints,
        store.size,
        labels.source,
        errors[MODEL],
    )
    return report, poses


def predict_frames(
    predict: Predict,
    store: ClipStore,
    labels: Labels,
    batch_size: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> Poses:
    """Poses of all labelled frames, in the order of ``labels``."""
    points, confidence, skeleton = [], [], None
    for at, frames in _batches(store, labels, batch_size):
        poses = predict(frames)
        if len(poses) != len(frames):
            raise ValueError(f"predict gave {len(poses)} poses for {len(frames)} frames")
        if not np.isfinite(poses.points).all():
            raise UserError(
                f"the model's points are not finite on frames {at} to {at + len(frames) - 1} of "
                f"{labels.source}; take a checkpoint from before the training diverged"
            )
        points.append(np.asarray(poses.points, np.float32))
        confidence.append(np.asarray(poses.confidence, np.float32))
        skeleton = poses.skeleton
        if progress is not None:
            progress(at + len(frames), len(labels))
    assert skeleton is not None
    return Poses(np.concatenate(points), np.concatenate(confidence), skeleton)


def _batches(store: ClipStore, labels: Labels, size: int) -> Iterator[tuple[int, np.ndarray]]:
    for at in range(0, len(labels), size):
        places = zip(labels.clip[at : at + size], labels.frame[at : at + size], strict=True)
        yield at, np.stack([store.clips[c].frames[f] for c, f in places])


def _scored_joints(
    labelled: Skeleton, predicted: Skeleton, guessed: Skeleton, wanted: Sequence[str] | None
) -> Skeleton:
    """The joints to score as a skeleton of their own, in the order of the labels."""
    if wanted is not None:
        for joint in wanted:
            for skeleton in (labelled, predicted, guessed):
                skeleton.index(joint)
        names = [j for j in labelled.joints if j in wanted]
    else:
        names = [j for j in labelled.joints if j in predicted.joints and j in guessed.joints]
    if not names:
        raise UserError(
            f"labels with the joints {', '.join(labelled.joints)} and predictions of "
            f"{', '.join(predicted.joints)} share none; choose labels of the same body"
        )
    paired = paired_joints(labelled, names)
    alone = [name for name in names if name not in paired]
    if alone:
        raise UserError(f"joints: {', '.join(alone)} must be scored together with the other side")
    return restrict(labelled, names)


def _convert(points: np.ndarray, source: Skeleton, target: Skeleton) -> np.ndarray:
    """(N,K,2) to the joints of ``target``."""
    return conversion_matrix(source, target) @ points


def _summary(errors: FrameErrors, activities: np.ndarray, source: str) -> MethodReport:
    counted = np.isfinite(errors.plain)
    if not counted.any():
        raise UserError(f"{source}: no frame has a visible joint among those scored")
    scores = {
        str(name): mean_scores(errors, activities == name)
        for name in np.unique(activities)
        if (counted & (activities == name)).any()
    }
    return MethodReport(scores, unweighted_mean(list(scores.values())), mean_scores(errors))
