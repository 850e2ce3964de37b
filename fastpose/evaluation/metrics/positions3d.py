"""Alignments of 3D poses before their distances are measured: MPJPE, N-MPJPE, P-MPJPE.

Each is the mean joint distance after an alignment of the prediction to its label, frame by frame:

=============================  ====================================================================
``root``                       MPJPE: both root joints at the origin
``scale``                      N-MPJPE, least squares: also one scale, <p,g>/<p,p>
``norm_scale``                 N-MPJPE, ratio of norms: also one scale, |g|/|p|
``similarity``                 P-MPJPE: rotation, scale and translation
``similarity_or_reflection``   P-MPJPE that may also mirror the prediction
=============================  ====================================================================

The two N-MPJPE differ (the first is never larger after squaring) and so do the two P-MPJPE; papers
print either under one name, so an alignment is always named.

Sources: Ionescu et al., "Human3.6M", PAMI 2014 (MPJPE); Rhodin et al., "Unsupervised geometry-aware
representation for 3D human pose estimation", ECCV 2018 (N-MPJPE by least squares); Wandt et al.,
"ElePose", CVPR 2022 (ratio of norms, reflections); Gower, "Generalized Procrustes analysis", 1975,
and Umeyama, "Least-squares estimation of transformation parameters", PAMI 1991, equations 40 to 42.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from fastpose.evaluation.metrics.distances import (
    check_pair,
    frame_means,
    joint_distances,
    mean_over_frames,
)

Alignment = Literal["root", "scale", "norm_scale", "similarity", "similarity_or_reflection"]
ALIGNMENTS: tuple[str, ...] = get_args(Alignment)


def align(
    predicted: ArrayLike,
    truth: ArrayLike,
    alignment: Alignment,
    *,
    root: int | None = None,
    visible: ArrayLike | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Predictions moved onto their labels as ``alignment`` allows.

    Args:
        predicted: (N,K,3) in any unit.
        truth: (N,K,3) in the same unit.
        alignment: one of :data:`ALIGNMENTS`.
        root: index of the joint that goes to the origin; "root" and both scales need it, visible
            in every frame.
        visible: (N,K) bool, the joints that the alignment goes by; None: all.

    Returns:
        both (N,K,3): with the root at the origin for the first three alignments, and in the frame
        of the labels for the last two. A prediction that is one single point has no scale: it
        stays at the root, or becomes the centre of the label.

    Raises:
        ValueError: an argument that does not fit, by name.
    """
    predicted, truth, mask = check_pair(predicted, truth, visible, dims=3)
    if alignment not in ALIGNMENTS:
        raise ValueError(f"alignment must be one of {', '.join(ALIGNMENTS)}, got {alignment!r}")
    if alignment.startswith("similarity"):
        return _similar(predicted, truth, mask, alignment != "similarity"), truth
    if root is None or not 0 <= root < truth.shape[1]:
        raise ValueError(f"root must be a joint index below {truth.shape[1]}, got {root!r}")
    if not mask[:, root].all():
        raise ValueError(
            f"visible must hold for the root in every frame, not in {int((~mask[:, root]).sum())}"
        )
    predicted = predicted - predicted[:, root : root + 1]
    truth = truth - truth[:, root : root + 1]
    if alignment != "root":
        counted = mask[..., None]
        pp = (predicted**2 * counted).sum(axis=(1, 2))
        if alignment == "scale":
            ratio = (predicted * truth * counted).sum(axis=(1, 2)) / np.where(pp > 0, pp, 1.0)
        else:
            ratio = np.sqrt((truth**2 * counted).sum(axis=(1, 2)) / np.where(pp > 0, pp, 1.0))
        predicted = predicted * np.where(pp > 0, ratio, 0.0)[:, None, None]
    return predicted, truth


def _similar(
    predicted: np.ndarray, truth: np.ndarray, mask: np.ndarray, reflect: bool
) -> np.ndarray:
    """The similarity (Umeyama 1991) that brings each pose nearest to its label, squares summed."""
    counted = mask[..., None]
    number = np.maximum(counted.sum(axis=1, keepdims=True), 1)
    middle_p = (predicted * counted).sum(axis=1, keepdims=True) / number
    middle_t = (truth * counted).sum(axis=1, keepdims=True) / number
    p, t = (predicted - middle_p) * counted, (truth - middle_t) * counted
    u, s, vt = np.linalg.svd(np.swapaxes(t, 1, 2) @ p)
    if not reflect:
        turned = np.linalg.det(u @ vt) < 0
        s = s * np.where(turned[:, None] & (np.arange(3) == 2), -1.0, 1.0)
        u = u * np.where(turned[:, None, None] & (np.arange(3) == 2), -1.0, 1.0)
    rotation = u @ vt
    spread = (p**2).sum(axis=(1, 2))
    scale = np.where(spread > 0, s.sum(axis=1) / np.where(spread > 0, spread, 1.0), 0.0)
    turned_pose = (predicted - middle_p) @ np.swapaxes(rotation, 1, 2)
    return scale[:, None, None] * turned_pose + middle_t


def mean_position_error(
    predicted: ArrayLike,
    truth: ArrayLike,
    alignment: Alignment,
    *,
    root: int | None = None,
    visible: ArrayLike | None = None,
) -> float:
    """MPJPE after ``alignment``: mean over the visible joints, then over frames.

    The root counts as a joint, with its distance of 0 where it is at the origin. In the unit of
    the poses: 1000 times that of metres is in millimetres. Arguments as of :func:`align`.
    """
    moved, still = align(predicted, truth, alignment, root=root, visible=visible)
    return mean_over_frames(frame_means(joint_distances(moved, still, visible)))
