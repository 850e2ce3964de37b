"""Pairs of views: the same moment seen by two cameras."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastpose.data.clips import ClipStore
from fastpose.data.frame_pairs import WeightedChoice, read_frames
from fastpose.errors import UserError


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
        self._group = WeightedChoice(np.array([len(moments) for moments in self._groups]))

    def sample(
        self, batch: int, rng: np.random.Generator, share: slice = slice(None)
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int64]]:
        """Draws ``batch`` moments in two different views; see ``FramePairs.sample``."""
        uniform = rng.random((batch, 4))
        rows = np.empty((batch, 2, 2), np.int64)
        which = self._group(uniform[:, 0])
        for row, group, u in zip(rows, which, uniform[:, 1:], strict=True):
            moments = self._groups[group]
            views = moments[int(u[0] * len(moments))]
            a, b = int(u[1] * len(views)), int(u[2] * (len(views) - 1))
            row[:] = views[a], views[b + (b >= a)]
        where = rows[share]
        target, other = (read_frames(self.store, where[:, i]) for i in (0, 1))
        return target, other, where[:, 0]
