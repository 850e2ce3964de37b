"""Distances between predicted and labelled joints, as KeypointGAN and IMM report them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

# Sides can only be judged where exchanging them moves the labels; below this share of the
# picture's side a person is seen in profile.
SIDES_GATE = 0.05


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
        ValueError: shapes that do not fit.
    """
    predicted, labels = np.asarray(predicted, np.float64), np.asarray(labels, np.float64)
    visible = np.asarray(visible, bool)
    if predicted.shape != labels.shape or visible.shape != labels.shape[:2]:
        raise ValueError(
            f"predicted {predicted.shape}, labels {labels.shape} and visible {visible.shape} "
            "must be (N,K,2), (N,K,2) and (N,K)"
        )
    swap = list(mirror)
    plain = _distance(predicted, labels, visible)
    exchanged = _distance(predicted, labels[:, swap], visible[:, swap])
    moved = _distance(labels, labels[:, swap], visible & visible[:, swap])
    to_percent = 100.0 / side
    with np.errstate(invalid="ignore"):
        return FrameErrors(
            plain=plain * to_percent,
            forgiven=np.fmin(plain, exchanged) * to_percent,
            correct=plain < exchanged,
            judged=moved > SIDES_GATE * side,
        )


def _distance(a: np.ndarray, b: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """(N,) mean distance of the counted joints; NaN where none counts."""
    apart = np.where(
        counted, np.linalg.norm(np.where(counted[..., None], a - b, 0.0), axis=-1), 0.0
    )
    number = counted.sum(axis=1)
    return np.where(number > 0, apart.sum(axis=1) / np.maximum(number, 1), np.nan)


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
