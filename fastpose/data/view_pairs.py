"""Pairs of views: the same moment seen by two cameras."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastpose.data.clips import ClipStore
from fastpose.data.frame_pairs import read_frames
from fastpose.errors import UserError


@dataclass(frozen=True)
class ViewGroups:
    """B groups of four pictures: a moment in two views, and another of the same recording in two.

    Attributes:
        images: uint8 (B,4,S,S,3); 0 and 1 are simultaneous, 2 and 3 are.
        rotations: float32 (B,4,3,3) from the world to each picture's camera.
        where: int64 (B,4,2) clip and frame of each.
    """

    images: NDArray[np.uint8]
    rotations: NDArray[np.float32]
    where: NDArray[np.int64]


class ViewPairs:
    """Draws simultaneous frames of clips that share a ``group`` and differ in ``view``.

    Frames are simultaneous where their numbers in the source are equal.

    Args:
        store: The clips, with ``group``, ``view`` and ``source_frames``.

    Raises:
        UserError: No moment is seen in two views.

    Attributes:
        moments: How many moments are seen in two views or more.
        unusable: Names of the clips that share no moment with another view.
    """

    def __init__(self, store: ClipStore) -> None:
        self.store = store
        groups: dict[str, dict[int, dict[str, tuple[int, int]]]] = {}
        for i, clip in enumerate(store.clips):
            if clip.group is not None and clip.view is not None:
                times = groups.setdefault(clip.group, {})
                for at, number in enumerate(clip.source_frames or ()):
                    times.setdefault(number, {})[clip.view] = (i, at)
        self._groups: list[list[list[tuple[int, int]]]] = []
        for times in groups.values():
            moments = [list(views.values()) for views in times.values() if len(views) > 1]
            if moments:
                self._groups.append(moments)
        self.moments = sum(map(len, self._groups))
        seen = {clip for moments in self._groups for views in moments for clip, _ in views}
        self.unusable = tuple(c.name for i, c in enumerate(store.clips) if i not in seen)
        if not self.moments:
            raise UserError(
                f"{store.path}: no moment is seen by two cameras; clips need group, view and frame "
                "numbers, as those of human36m have"
            )
        counts = np.array([len(moments) for moments in self._groups])
        self._cumulative = np.cumsum(counts) / counts.sum()

    def sample(
        self, batch: int, rng: np.random.Generator, share: slice = slice(None)
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int64]]:
        """Draws ``batch`` moments in two different views; see ``FramePairs.sample``."""
        where = self._draw(batch, rng, 1)[share]
        target, other = (read_frames(self.store, where[:, i]) for i in (0, 1))
        return target, other, where[:, 0]

    def sample_groups(
        self, batch: int, rng: np.random.Generator, share: slice = slice(None)
    ) -> ViewGroups:
        """Draws ``batch`` groups of four, as Rhodin et al. (ECCV 2018) train on.

        The second moment is another one of the same recording where there is one.

        Raises:
            UserError: A clip that was drawn carries no rotations.
        """
        where = self._draw(batch, rng, 2)[share]
        flat = where.reshape(-1, 2)
        images = read_frames(self.store, flat)
        rotations = np.stack([self._rotation(int(c), int(f)) for c, f in flat])
        side = self.store.size
        return ViewGroups(
            images.reshape(-1, 4, side, side, 3), rotations.reshape(-1, 4, 3, 3), where
        )

    def _draw(self, batch: int, rng: np.random.Generator, moments: int) -> NDArray[np.int64]:
        """(batch, 2 * moments, 2) clip and frame: two views of each of the moments."""
        uniform = rng.random((batch, 1 + 3 * moments))
        rows = np.empty((batch, 2 * moments, 2), np.int64)
        which = np.searchsorted(self._cumulative, uniform[:, 0], side="right")
        for row, group, u in zip(rows, which, uniform[:, 1:], strict=True):
            known = self._groups[min(int(group), len(self._groups) - 1)]
            drawn = int(u[0] * len(known))
            for m in range(moments):
                if m:  # any but the first, if there is another
                    drawn = (drawn + 1 + int(u[3 * m] * max(len(known) - 1, 1))) % len(known)
                views = known[drawn]
                a = int(u[3 * m + 1] * len(views))
                b = int(u[3 * m + 2] * (len(views) - 1))
                row[2 * m], row[2 * m + 1] = views[a], views[b + (b >= a)]
        return rows

    def _rotation(self, clip: int, frame: int) -> NDArray[np.float32]:
        rotations = self.store.clips[clip].rotation
        if rotations is None:
            name = self.store.clips[clip].name
            raise UserError(
                f"{self.store.path}: clip '{name}' has no camera rotation; prepare a data set with "
                "3D joints or a calibration"
            )
        return np.asarray(rotations[frame])
