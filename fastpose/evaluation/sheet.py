"""A picture of the best, median and worst frames: prediction on the left, labels on the right."""

from __future__ import annotations

import os

import numpy as np

from fastpose.data.clips import ClipStore
from fastpose.evaluation.labels import Labels
from fastpose.evaluation.report import EvaluationReport, picked_frames
from fastpose.media.drawing import contact_sheet, draw_skeleton, draw_text
from fastpose.media.images import resize, write_image
from fastpose.poses import Poses

_SIDE = 144  # of a picture on the sheet, in pixels


def write_sheet(
    path: str | os.PathLike[str],
    store: ClipStore,
    labels: Labels,
    report: EvaluationReport,
    poses: Poses,
    each: int = 6,
) -> None:
    """Draw ``each`` frames of each kind with their error in percent; write a PNG."""
    errors = report.errors
    assert errors is not None
    rows = []
    for kind, indices in picked_frames(errors, each).items():
        pictures = []
        for i in indices:
            frame = store.clips[labels.clip[i]].frames[labels.frame[i]]
            pictures += [
                _drawn(frame, poses.points[i], poses, None, f"{errors.forgiven[i]:.1f} %"),
                _drawn(frame, labels.points[i], labels, labels.visible[i], "label"),
            ]
        rows.append((f"{kind}: error with sides forgiven, prediction beside label", pictures))
    model = report.model.mean
    title = (
        f"{model.error_forgiven_percent:.2f} % with sides forgiven, {model.error_percent:.2f} % "
        f"plain, {model.frames} frames"
    )
    write_image(path, contact_sheet(rows, title=title))


def _drawn(
    frame: np.ndarray,
    points: np.ndarray,
    owner: Poses | Labels,
    visible: np.ndarray | None,
    caption: str,
) -> np.ndarray:
    large = resize(np.asarray(frame), (_SIDE, _SIDE))
    placed = (points + 0.5) * (_SIDE / len(frame)) - 0.5
    if visible is not None:
        placed = np.where(visible[:, None], placed, np.nan)
    drawn = draw_skeleton(large, placed, owner.skeleton)
    return draw_text(drawn, caption, (3, 1), size=11, background=(255, 255, 255))
