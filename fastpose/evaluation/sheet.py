"""A picture of the best, median and worst frames: prediction on the left, labels on the right."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np

from fastpose.data.clips import ClipStore
from fastpose.evaluation.labels import Labels
from fastpose.evaluation.report import picked_frames
from fastpose.media.drawing import contact_sheet, draw_skeleton, draw_text
from fastpose.media.images import resize, write_image
from fastpose.poses import Poses
from fastpose.skeletons import Skeleton

SIDE = 144  # of a picture on the sheet, in pixels
Pair = Callable[[int], tuple[np.ndarray, np.ndarray]]


def write_sheet(
    path: str | os.PathLike[str],
    pair: Pair,
    errors: np.ndarray,
    *,
    title: str,
    what: str = "error",
    unit: str = "%",
    each: int = 6,
) -> None:
    """Draw ``each`` frames of each kind with their error; write a PNG.

    Args:
        path: the PNG.
        pair: pictures of the prediction and of the label of frame i, of one size.
        errors: (N,) errors that frames are picked by; NaN is never picked.
        title: printed above.
        what: what the errors are.
        unit: of the errors.
        each: frames of each kind.
    """
    rows = []
    for kind, indices in picked_frames(errors, each).items():
        pictures = []
        for i in indices:
            predicted, label = pair(int(i))
            pictures += [
                _captioned(predicted, f"{errors[i]:.1f} {unit}".rstrip()),
                _captioned(label, "label"),
            ]
        rows.append((f"{kind}: {what}, prediction beside label", pictures))
    write_image(path, contact_sheet(rows, title=title))


def clip_pair(store: ClipStore, labels: Labels, poses: Poses) -> Pair:
    """Skeletons over the frames of clips."""

    def pair(i: int) -> tuple[np.ndarray, np.ndarray]:
        frame = np.asarray(store.clips[labels.clip[i]].frames[labels.frame[i]])
        return (
            drawn_over(frame, poses.points[i], poses.skeleton),
            drawn_over(frame, labels.points[i], labels.skeleton, labels.visible[i]),
        )

    return pair


def drawn_over(
    frame: np.ndarray,
    points: np.ndarray,
    skeleton: Skeleton,
    visible: np.ndarray | None = None,
) -> np.ndarray:
    """A skeleton over a square frame, both enlarged to the sheet's size."""
    large = resize(frame, (SIDE, SIDE))
    placed = (points + 0.5) * (SIDE / len(frame)) - 0.5
    if visible is not None:
        placed = np.where(visible[:, None], placed, np.nan)
    return draw_skeleton(large, placed, skeleton)


def _captioned(picture: np.ndarray, caption: str) -> np.ndarray:
    return draw_text(picture, caption, (3, 1), size=11, background=(255, 255, 255))
