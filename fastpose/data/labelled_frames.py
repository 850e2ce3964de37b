"""Frames with the joints that somebody marked in them: what supervised baselines learn from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastpose.data.clips import ClipStore
from fastpose.data.frame_pairs import read_frames
from fastpose.errors import UserError
from fastpose.skeletons import Skeleton, conversion_matrix


class LabelledFrames:
    """Draws frames of clips that carry keypoints, every frame with a known joint as likely.

    Args:
        store: Such clips.
        skeleton: The K joints to give, made by name from those of the clips.

    Raises:
        UserError: A clip has no keypoints, a joint cannot be made from them, or none is known.

    Attributes:
        mirror: For each joint the index of the joint on the other side.
        unlabelled: How many frames have no known joint and are never drawn.
    """

    def __init__(self, store: ClipStore, skeleton: Skeleton) -> None:
        bare = [clip.name for clip in store.clips if clip.keypoints is None]
        if bare or store.skeleton is None:
            raise UserError(
                f"{store.path}: clip '{bare[0] if bare else store.clips[0].name}' carries no "
                f"keypoints ({len(bare)} of {len(store.clips)} clips do not); prepare a labelled "
                "data set or synthesize clips, or choose a recipe that learns without labels"
            )
        try:
            matrix = conversion_matrix(store.skeleton, skeleton)
        except UserError as error:
            raise UserError(f"{store.path}: {error}; --set skeleton=NAME for another") from None
        self.store, self.mirror = store, skeleton.mirror
        points, known, where = [], [], []
        for number, clip in enumerate(store.clips):
            pixels = np.asarray(clip.keypoints)
            there = np.asarray(np.isfinite(pixels).all(axis=-1))
            if clip.visible is not None:
                there &= np.asarray(clip.visible)
            points.append(matrix @ np.where(there[..., None], pixels, 0.0))
            # A joint that is the mean of others is known where all of them are.
            known.append(~there @ (matrix != 0.0).T == 0)
            where.append(np.stack([np.full(len(clip), number), np.arange(len(clip))], axis=1))
        all_known = np.concatenate(known)
        drawn = np.asarray(all_known.any(axis=1))
        if not drawn.any():
            raise UserError(f"{store.path}: none of its {len(drawn)} frames has a known joint")
        self.unlabelled = int((~drawn).sum())
        self._known = all_known[drawn]
        self._where = np.concatenate(where)[drawn]
        normalised = 2.0 * np.concatenate(points)[drawn] / (store.size - 1) - 1.0
        self._points = np.where(self._known[..., None], normalised, 0.0).astype(np.float32)

    def __len__(self) -> int:
        return len(self._where)

    def sample(
        self, batch: int, rng: np.random.Generator, share: slice = slice(None)
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.bool_], NDArray[np.int64]]:
        """Draws ``batch`` frames; the same state of ``rng`` gives the same ones.

        Args:
            batch: How many are drawn.
            rng: The only source of randomness.
            share: Which of them are read and returned: B of them.

        Returns:
            Frames uint8 (B, S, S, 3); points (B, K, 2), normalised, 0 where unknown; which of them
            are known (B, K); (B, 2) clip and frame.
        """
        rows = rng.integers(0, len(self._where), batch)[share]
        where = self._where[rows]
        return read_frames(self.store, where), self._points[rows], self._known[rows], where
