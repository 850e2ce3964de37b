"""Pairs of frames of one clip: what every self-supervised model here learns from."""

from __future__ import annotations

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
    ) -> None:
        if min_gap < 0 or max_gap < max(min_gap, 1):
            raise UserError(
                f"frame pairs: gaps of {min_gap} to {max_gap} frames make no pair; "
                "min_gap must be at least 0 and max_gap at least 1 and no less than min_gap"
            )
        self.store, self.min_gap, self.max_gap = store, min_gap, max_gap
        needed = max(min_gap, 1) + 1
        self._lengths = np.array([len(clip.frames) for clip in store.clips], dtype=np.int64)
        self.unusable = tuple(c.name for c in store.clips if len(c.frames) < needed)
        usable = self._lengths >= needed
        if not usable.any():
            raise UserError(
                f"{store.path}: no clip has {needed} frames (the longest of {len(self._lengths)} "
                f"has {self._lengths.max(initial=0)}); prepare longer videos or lower min_gap"
            )
        weight = np.where(usable, self._lengths if by_frames else 1, 0).astype(np.float64)
        self._cumulative = np.cumsum(weight) / weight.sum()
        self._last = int(np.flatnonzero(usable)[-1])

    def sample(
        self, batch: int, rng: np.random.Generator, share: slice = slice(None)
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int64]]:
        """Draws ``batch`` pairs; the same state of ``rng`` gives the same pairs.

        The target is uniform over the clip's frames that have a partner, the other frame uniform
        over the partners within the gaps, before or after it.

        Args:
            batch: How many pairs are drawn.
            rng: The only source of randomness.
            share: Which of them are read and returned: B of them.

        Returns:
            target and other, uint8 (B, S, S, 3), and (B, 2) int64: clip and frame of the target.
        """
        uniform = rng.random((batch, 3))
        clips = np.searchsorted(self._cumulative, uniform[:, 0], side="right")
        clips = np.minimum(clips, self._last)  # where rounding left the last sum below 1
        length = self._lengths[clips]
        first = self._targets(length, uniform[:, 1])
        second = self._partners(length, first, uniform[:, 2])
        clips, first, second = clips[share], first[share], second[share]
        frames = [self.store.clips[c].frames for c in clips]
        size = self.store.size
        target = np.empty((len(clips), size, size, 3), dtype=np.uint8)
        other = np.empty_like(target)
        for i, (clip, a, b) in enumerate(zip(frames, first, second, strict=True)):
            target[i], other[i] = clip[a], clip[b]
        return target, other, np.stack([clips, first], axis=1)

    def _targets(
        self, length: NDArray[np.int64], uniform: NDArray[np.float64]
    ) -> NDArray[np.int64]:
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
        before = np.clip(np.minimum(first, self.max_gap) - self.min_gap + 1, 0, None)
        after = np.clip(np.minimum(length - 1 - first, self.max_gap) - self.min_gap + 1, 0, None)
        if self.min_gap == 0:
            after -= 1  # the frame itself is counted once, among those before
        count = before + after
        rank = np.minimum((uniform * count).astype(np.int64), count - 1)
        earlier = first - self.min_gap - rank
        later = first + max(self.min_gap, 1) + rank - before
        return np.where(rank < before, earlier, later)
