"""Linear maps from learned landmarks to labelled joints.

Landmarks that nobody named are scored by a linear map fitted on labelled training frames. Papers
fit it differently, and their numbers differ by it, so every choice is spelled out here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from fastpose.errors import lookup
from fastpose.evaluation.metrics.distances import check_pair, frame_means, joint_distances
from fastpose.evaluation.metrics.sides import forgive_sides
from fastpose.skeletons import get_skeleton

_SETTLED = 10  # relabelling ends when fewer frames than this change sides
_ROUNDS = 100


@dataclass(frozen=True)
class LinearProtocol:
    """How a linear map is fitted.

    Args:
        name: what it is called.
        origin: of the coordinates of landmarks and joints: "corner" is the top left pixel,
            "centre" the middle of the picture. No map has an intercept, so this decides what it
            can express; the unit (pixels, shares of the side) does not matter.
        joints: names of the joints that are fitted and scored; None: all that are labelled.
        relabel_sides: exchange the sides of a training label where the fit comes nearer to it so,
            and fit again, until fewer than 10 frames change.
        outliers: then leave out training frames whose error is more than this many standard
            deviations above the mean, and fit once more; None: keep all.
        source: who fits so.
    """

    name: str
    origin: Literal["corner", "centre"]
    joints: tuple[str, ...] | None
    relabel_sides: bool
    outliers: float | None
    source: str


def _bkind_joints() -> tuple[str, ...]:
    joints = get_skeleton("h36m32").joints
    return tuple(joints[i] for i in (1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27))


LINEAR_PROTOCOLS: dict[str, LinearProtocol] = {
    p.name: p
    for p in (
        LinearProtocol(
            "thewlis-zhang",
            origin="centre",
            joints=None,
            relabel_sides=False,
            outliers=None,
            source="Thewlis et al., ICCV 2017; Zhang et al., CVPR 2018",
        ),
        LinearProtocol(
            "imm",
            origin="corner",
            joints=None,
            relabel_sides=False,
            outliers=None,
            source="Jakab, Gupta et al., NeurIPS 2018",
        ),
        LinearProtocol(
            "bkind",
            origin="centre",
            joints=_bkind_joints(),
            relabel_sides=False,
            outliers=None,
            source="Sun et al., CVPR 2022",
        ),
        LinearProtocol(
            "autolink",
            origin="corner",
            joints=None,
            relabel_sides=True,
            outliers=3.0,
            source="He et al., NeurIPS 2022",
        ),
    )
}


def get_linear_protocol(name: str) -> LinearProtocol:
    """A published protocol by name; UserError with those that exist."""
    return lookup("linear protocol", name, LINEAR_PROTOCOLS)


@dataclass(frozen=True)
class LinearMap:
    """A fitted map of landmarks to joints.

    Args:
        weights: (2L, 2K).
        origin: (2,) pixels that coordinates are counted from.
        exchanged: (N,) bool, training frames whose sides were exchanged.
        kept: (N,) bool, training frames that the last fit was made on.
    """

    weights: np.ndarray
    origin: np.ndarray
    exchanged: np.ndarray
    kept: np.ndarray

    def __call__(self, landmarks: ArrayLike) -> np.ndarray:
        """(M,L,2) pixels to (M,K,2) pixels."""
        inputs = _inputs(landmarks, self.origin)
        if len(self.weights) != inputs.shape[1]:
            raise ValueError(
                f"landmarks must be (M,{len(self.weights) // 2},2), got {np.shape(landmarks)}"
            )
        return (inputs @ self.weights).reshape(len(inputs), -1, 2) + self.origin


def fit_linear(
    landmarks: ArrayLike,
    truth: ArrayLike,
    side: float,
    protocol: LinearProtocol,
    *,
    mirror: Sequence[int],
    visible: ArrayLike | None = None,
) -> LinearMap:
    """Least squares from landmarks to labelled joints.

    Each joint is fitted on the frames in which it is visible. Where the landmarks do not determine
    the map, the one of least norm is taken.

    Args:
        landmarks: (N,L,2) pixels, finite, of the training frames.
        truth: (N,K,2) pixels, the labelled joints (those of ``protocol.joints`` alone, if it names
            any).
        side: side of the pictures in pixels.
        protocol: how to fit.
        mirror: for each joint the index of its counterpart on the other side.
        visible: (N,K) bool; None: all.

    Raises:
        ValueError: shapes or values that do not fit, or a joint that is visible nowhere.
    """
    if not side > 0:
        raise ValueError(f"side must be positive, got {side!r}")
    middle = (side - 1) / 2 if protocol.origin == "centre" else 0.0
    origin = np.array([middle, middle])
    inputs = _inputs(landmarks, origin)
    labels = np.asarray(truth, np.float64)
    _, labels, mask = check_pair(np.zeros(labels.shape), labels, visible, dims=2)
    if len(inputs) != len(labels):
        raise ValueError(
            f"landmarks must be of the {len(labels)} frames of truth, got {len(inputs)}"
        )
    exchanged, kept = np.zeros(len(labels), bool), np.ones(len(labels), bool)

    def fit() -> tuple[np.ndarray, np.ndarray]:
        weights = _solve(inputs[kept], labels[kept] - origin, mask[kept])
        return weights, (inputs @ weights).reshape(labels.shape) + origin

    weights, fitted = fit()
    for _ in range(_ROUNDS if protocol.relabel_sides else 0):
        labels, mask, turned = forgive_sides(fitted, labels, mask, mirror)
        exchanged ^= turned
        weights, fitted = fit()
        if turned.sum() < _SETTLED:
            break
    if protocol.outliers is not None:
        errors = frame_means(joint_distances(fitted, labels, mask))
        seen = errors[~np.isnan(errors)]
        with np.errstate(invalid="ignore"):
            kept = ~(errors > seen.mean() + protocol.outliers * seen.std())
        weights, _ = fit()
    return LinearMap(weights, origin, exchanged, kept)


def _inputs(landmarks: ArrayLike, origin: np.ndarray) -> np.ndarray:
    points = np.asarray(landmarks, np.float64)
    if points.ndim != 3 or points.shape[2] != 2 or not np.isfinite(points).all():
        raise ValueError(f"landmarks must be (N,L,2) and finite, got shape {points.shape}")
    return (points - origin).reshape(len(points), -1)


def _solve(inputs: np.ndarray, labels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(columns of inputs, 2K); joints that are visible in the same frames are solved together."""
    weights = np.zeros((inputs.shape[1], labels.shape[1], 2))
    patterns, which = np.unique(mask, axis=1, return_inverse=True)
    for at, seen in enumerate(patterns.T):
        joints = np.flatnonzero(which.ravel() == at)
        if not seen.any():
            raise ValueError(
                f"visible must hold in a training frame for each joint, not for {joints}"
            )
        targets = labels[seen][:, joints].reshape(int(seen.sum()), -1)
        solved = np.linalg.lstsq(inputs[seen], targets, rcond=None)[0]
        weights[:, joints] = solved.reshape(inputs.shape[1], len(joints), 2)
    return weights.reshape(inputs.shape[1], -1)
