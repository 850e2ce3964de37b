"""Pairs of frames of one clip: what every self-supervised model here learns from."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fastpose.data.clips import ClipStore
from fastpose.errors import UserError


class FramePairs:
    """Draws (target, other frame of the same clip), with all randomness from the caller.

    Args:
        store: The clips.
        min_gap: Smallest distance of the two frames in time, in frames; 0 allows twice the same.
        max_gap: Largest distance, in frames.
        by_frames: Whether a clip is drawn in proportion to its number of frames (every frame is
            then about equally likely) or every usable clip equally often.
        order: "any": the target is before or after the other frame; "earlier": it is the earlier
            one (or the same), as in the code of KeypointGAN (Jakab et al., CVPR 2020), which draws
            clips equally often and gaps of 0 to 1000 frames.

    Raises:
        UserError: No clip has two frames that far apart, or the gaps contradict each other.

    Attributes:
        unusable: Names of the clips that are too short and never drawn.
    """

    def __init__(
        self,
        store: ClipStore,
        *,
        min_gap: int = 0,
        max_gap: int = 1000,
        by_frames: bool = True,
        order: Literal["any", "earlier"] = "any",
    ) -> None:
        if order not in ("any", "earlier"):
            raise UserError(f"frame pairs: order must be 'any' or 'earlier', not '{order}'")
        if min_gap < 0 or max_gap < max(min_gap, 1):
            raise UserError(
                f"frame pairs: gaps of {min_gap} to {max_gap} frames make no pair; "
                "min_gap must be at least 0 and max_gap at least 1 and no less than min_gap"
            )
        self.store, self.min_gap, self.max_gap, self.order = store, min_gap, max_gap, order
        needed = max(min_gap, 1) + 1
        self._lengths = np.array([len(clip.frames) for clip in store.clips], dtype=np.int64)
        self.unusable = tuple(c.name for c in store.clips if len(c.frames) < needed)
        usable = self._lengths >= needed
        if not usable.any():
            raise UserError(
                f"{store.path}: no clip has {needed} frames (the longest of {len(self._lengths)} "
                f"has {self._lengths.max(initial=0)}); prepare longer videos or lower min_gap"
            )
        weight = np.where(usable, self._lengths if by_frames else 1, 0)
        self._clip = WeightedChoice(weight)

    def sample(
        self, batch: int, rng: np.random.Generator, share: slice = slice(None)
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int64]]:
        """Draws ``batch`` pairs; the same state of ``rng`` gives the same pairs.

        The target is uniform over the clip's frames that have a partner, the other frame uniform
        over the partners within the gaps, on the sides that ``order`` allows.

        Args:
            batch: How many pairs are drawn.
            rng: The only source of randomness.
            share: Which of them are read and returned: B of them.

        Returns:
            target and other, uint8 (B, S, S, 3), and (B, 2) int64: clip and frame of the target.
        """
        uniform = rng.random((batch, 3))
        clips = self._clip(uniform[:, 0])
        length = self._lengths[clips]
        first = self._targets(length, uniform[:, 1])
        second = self._partners(length, first, uniform[:, 2])
        where = np.stack([clips, first], axis=1)[share]
        partner = np.stack([clips, second], axis=1)[share]
        return read_frames(self.store, where), read_frames(self.store, partner), where

    def _targets(
        self, length: NDArray[np.int64], uniform: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        if self.order == "earlier":
            return np.minimum((uniform * (length - self.min_gap)).astype(np.int64), length - 1)
        # Frame t has a partner if t - gap >= 0 or t + gap < length; in a clip shorter than twice
        # the gap the frames in the middle have none.
        head = length - self.min_gap
        middle = np.maximum(0, 2 * self.min_gap - length)
        usable = length - middle
        rank = np.minimum((uniform * usable).astype(np.int64), usable - 1)
        return np.where((middle > 0) & (rank >= head), rank + middle, rank)

    def _partners(
        self, length: NDArray[np.int64], first: NDArray[np.int64], uniform: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        if self.order == "earlier":
            count = np.minimum(self.max_gap, length - 1 - first) - self.min_gap + 1
            rank = np.minimum((uniform * count).astype(np.int64), count - 1)
            return first + self.min_gap + rank
        before = np.clip(np.minimum(first, self.max_gap) - self.min_gap + 1, 0, None)
        after = np.clip(np.minimum(length - 1 - first, self.max_gap) - self.min_gap + 1, 0, None)
        if self.min_gap == 0:
            after -= 1  # the frame itself is counted once, among those before
        count = before + after
        rank = np.minimum((uniform * count).astype(np.int64), count - 1)
        earlier = first - self.min_gap - rank
        later = first + max(self.min_gap, 1) + rank - before
        return np.where(rank < before, earlier, later)


class WeightedChoice:
    """Indices in proportion to ``weights`` (N,), from uniform numbers in [0, 1)."""

    def __init__(self, weights: np.ndarray) -> None:
        self._cumulative = np.cumsum(weights) / np.sum(weights)
        self._last = int(np.flatnonzero(weights)[-1])

    def __call__(self, uniform: NDArray[np.float64]) -> NDArray[np.int64]:
        at = np.searchsorted(self._cumulative, uniform, side="right")
        return np.minimum(at, self._last)  # where rounding left the last sum below 1


def read_frames(store: ClipStore, where: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The frames (N,S,S,3) at ``where`` (N,2): clip and frame."""
    images = np.empty((len(where), store.size, store.size, 3), dtype=np.uint8)
    for image, (clip, frame) in zip(images, where, strict=True):
        image[:] = store.clips[clip].frames[frame]
    return images
