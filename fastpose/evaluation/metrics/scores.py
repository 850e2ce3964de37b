"""Distances between predicted and labelled joints, as KeypointGAN and IMM report them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from fastpose.evaluation.metrics.distances import PERCENT, frame_means
from fastpose.evaluation.metrics.sides import SIDES_GATE, side_distances


@dataclass(frozen=True)
class FrameErrors:
    """Errors of N frames, in percent of the picture's side.

    Args:
        plain: (N,) float64, mean over the seen joints of the distance to the label; NaN where no
            joint is seen.
        forgiven: (N,) the smaller of that and the distance to the label with sides exchanged.
        correct: (N,) bool, the label as it is is nearer than with sides exchanged.
        judged: (N,) bool, exchanging sides moves the labels enough to tell.
    """

    plain: np.ndarray
    forgiven: np.ndarray
    correct: np.ndarray
    judged: np.ndarray


@dataclass(frozen=True)
class Scores:
    """Means over frames; errors in percent of the picture's side, sides as shares.

    Args:
        frames: frames with at least one labelled joint.
        error_percent: mean joint distance.
        error_forgiven_percent: the same, per frame with the sides as predicted or exchanged.
        correct_sides: share of frames with the sides right, NaN-free, over all frames.
        correct_sides_judged: the same over frames in which sides can be told; None without any.
    """

    frames: int
    error_percent: float
    error_forgiven_percent: float
    correct_sides: float
    correct_sides_judged: float | None

    def to_dict(self) -> dict[str, float | int | None]:
        """A JSON-able copy, rounded to four places."""
        return {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(self).items()}


def frame_errors(
    predicted: np.ndarray,
    labels: np.ndarray,
    visible: np.ndarray,
    mirror: Sequence[int],
    side: float,
) -> FrameErrors:
    """Compare poses frame by frame.

    Args:
        predicted: (N,K,2) pixels.
        labels: (N,K,2) pixels; values of joints that are not visible do not matter.
        visible: (N,K) bool, which joints count.
        mirror: for each joint the index of its counterpart on the other side.
        side: side of the picture in pixels.

    Raises:
        ValueError: shapes or values that do not fit.
    """
    both = side_distances(predicted, labels, visible, mirror)
    plain, exchanged = frame_means(both.plain), frame_means(both.exchanged)
    to_percent = PERCENT / side
    with np.errstate(invalid="ignore"):
        return FrameErrors(
            plain=plain * to_percent,
            forgiven=np.fmin(plain, exchanged) * to_percent,
            correct=plain < exchanged,
            judged=frame_means(both.moved) > SIDES_GATE * side,
        )


def mean_scores(errors: FrameErrors, chosen: np.ndarray | None = None) -> Scores:
    """Average over the ``chosen`` (N,) bool frames; frames without a seen joint do not count."""
    counted = np.isfinite(errors.plain)
    if chosen is not None:
        counted &= chosen
    if not counted.any():
        raise ValueError("no frame with a visible joint")
    judged = counted & errors.judged
    return Scores(
        frames=int(counted.sum()),
        error_percent=float(errors.plain[counted].mean()),
        error_forgiven_percent=float(errors.forgiven[counted].mean()),
        correct_sides=float(errors.correct[counted].mean()),
        correct_sides_judged=float(errors.correct[judged].mean()) if judged.any() else None,
    )


def unweighted_mean(scores: Sequence[Scores]) -> Scores:
    """Every activity counts the same, however many frames it has."""
    if not scores:
        raise ValueError("no scores to average")
    judged = [s.correct_sides_judged for s in scores if s.correct_sides_judged is not None]
    return Scores(
        frames=sum(s.frames for s in scores),
        error_percent=float(np.mean([s.error_percent for s in scores])),
        error_forgiven_percent=float(np.mean([s.error_forgiven_percent for s in scores])),
        correct_sides=float(np.mean([s.correct_sides for s in scores])),
        correct_sides_judged=float(np.mean(judged)) if judged else None,
    )
