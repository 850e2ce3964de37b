"""Left taken for right: distances with the sides exchanged, and how often they should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from fastpose.evaluation.metrics.distances import (
    check_pair,
    check_sizes,
    frame_means,
    joint_distances,
)
from fastpose.skeletons import Skeleton

# Sides can only be judged where exchanging them moves the labels; below this share of the
# picture's side a person is seen in profile.
SIDES_GATE = 0.05
ARMS, LEGS = ("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")


@dataclass(frozen=True)
class SideDistances:
    """(N,K) distances in the unit of the points, NaN where the label is not visible.

    Args:
        plain: prediction to label.
        exchanged: prediction to the label of the other side's joint.
        moved: label to the label of the other side's joint; NaN unless both are visible.
    """

    plain: np.ndarray
    exchanged: np.ndarray
    moved: np.ndarray


def side_distances(
    predicted: ArrayLike, truth: ArrayLike, visible: ArrayLike | None, mirror: Sequence[int]
) -> SideDistances:
    """Distances with sides as they are and exchanged over the whole body.

    Args:
        predicted: (N,K,2 or 3).
        truth: (N,K,2 or 3), in the same unit.
        visible: (N,K) bool; None: all.
        mirror: for each joint the index of its counterpart on the other side.

    Raises:
        ValueError: shapes or values that do not fit.
    """
    predicted, truth, mask = check_pair(predicted, truth, visible)
    swap = check_mirror(mirror, truth.shape[1])
    other, seen = truth[:, swap], mask[:, swap]
    return SideDistances(
        plain=joint_distances(predicted, truth, mask),
        exchanged=joint_distances(predicted, other, seen),
        moved=joint_distances(truth, other, mask & seen),
    )


def check_mirror(mirror: Sequence[int], joints: int) -> list[int]:
    """The indices as a list; ValueError unless they pair all joints."""
    swap = [int(i) for i in mirror]
    if sorted(swap) != list(range(joints)) or any(swap[j] != i for i, j in enumerate(swap)):
        raise ValueError(f"mirror must pair the joints 0..{joints - 1}, got {swap}")
    return swap


def forgive_sides(
    predicted: ArrayLike, truth: ArrayLike, visible: ArrayLike | None, mirror: Sequence[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels whose sides are exchanged in those frames in which the prediction is then nearer.

    One decision for the whole body of a frame, by the mean distance of its visible joints: any
    metric of the result is that metric "at its minimum over flips".

    Returns:
        truth (N,K,D), visible (N,K), and (N,) bool, where sides were exchanged.
    """
    both = side_distances(predicted, truth, visible, mirror)
    _, truth, mask = check_pair(predicted, truth, visible)
    with np.errstate(invalid="ignore"):
        turned = frame_means(both.exchanged) < frame_means(both.plain)
    swap = list(mirror)
    truth = np.where(turned[:, None, None], truth[:, swap], truth)
    return truth, np.where(turned[:, None], mask[:, swap], mask), turned


@dataclass(frozen=True)
class FlipRate:
    """A share of frames in [0, 1], None where there is no frame to tell by.

    Args:
        gated: over the frames in which sides can be told.
        ungated: over all frames with a visible joint.
        gated_frames: how many frames the gate lets pass.
        frames: how many have a visible joint.
    """

    gated: float | None
    ungated: float | None
    gated_frames: int
    frames: int


def flip_rates(
    predicted: ArrayLike,
    truth: ArrayLike,
    side: ArrayLike,
    skeleton: Skeleton,
    visible: ArrayLike | None = None,
    *,
    gate: float = SIDES_GATE,
) -> dict[str, FlipRate]:
    """How often left and right are exchanged: "body", "arms", "legs", "crossed".

    A frame is flipped where the label with sides exchanged is at least as near as the label itself
    (mean joint distance; a tie tells no sides and counts as flipped). The gate leaves out frames in
    which exchanging the sides of the labels moves them by no more than ``gate`` sides of the
    picture in the mean: profile views. Arms are shoulders, elbows and wrists, legs are hips, knees
    and ankles, each judged and gated alone; crossed frames have one of them flipped and not the
    other, over frames in which both can be judged.

    Source: the flip count of KeypointGAN's evaluation (Jakab et al., CVPR 2020) is "body" ungated,
    as correct = not flipped.

    Args:
        predicted: (N,K,2) pixels.
        truth: (N,K,2) pixels.
        side: side of the pictures in pixels, one number or (N,).
        skeleton: names the K joints and pairs their sides.
        visible: (N,K) bool; None: all.
        gate: in sides of the picture, at least 0.
    """
    if not gate >= 0:
        raise ValueError(f"gate must be at least 0, got {gate!r}")
    _, labels, _ = check_pair(predicted, truth, visible)
    if len(skeleton.joints) != labels.shape[1]:
        raise ValueError(
            f"skeleton must have the {labels.shape[1]} joints of truth, "
            f"got '{skeleton.name}' with {len(skeleton.joints)}"
        )
    both = side_distances(predicted, truth, visible, skeleton.mirror)
    needed = gate * check_sizes("side", side, len(both.plain))
    parts = {
        "body": list(range(len(skeleton.joints))),
        "arms": _sided(skeleton, ARMS),
        "legs": _sided(skeleton, LEGS),
    }
    seen, judged, flipped = {}, {}, {}
    for name, joints in parts.items():
        plain, exchanged, moved = (
            frame_means(d[:, joints]) for d in (both.plain, both.exchanged, both.moved)
        )
        seen[name] = ~np.isnan(plain) & ~np.isnan(exchanged)
        with np.errstate(invalid="ignore"):
            judged[name] = seen[name] & (moved > needed)
            flipped[name] = exchanged <= plain
    seen["crossed"] = seen["arms"] & seen["legs"]
    judged["crossed"] = judged["arms"] & judged["legs"]
    flipped["crossed"] = flipped["arms"] != flipped["legs"]
    return {name: _rate(flipped[name], judged[name], seen[name]) for name in flipped}


def _sided(skeleton: Skeleton, parts: tuple[str, ...]) -> list[int]:
    names = {side + part for part in parts for side in ("l_", "r_")}
    return [i for i, joint in enumerate(skeleton.joints) if joint in names]


def _rate(flipped: np.ndarray, judged: np.ndarray, seen: np.ndarray) -> FlipRate:
    def share(frames: np.ndarray) -> float | None:
        return float(flipped[frames].mean()) if frames.any() else None

    return FlipRate(share(judged), share(seen), int(judged.sum()), int(seen.sum()))
