"""Pairs of frames of one scene: the same person before the same background, whatever it does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastpose.data.clips import ClipStore
from fastpose.data.frame_pairs import WeightedChoice, read_frames
from fastpose.errors import UserError


class ScenePairs:
    """Draws two frames of all the clips that share actor (or recording), camera and window.

    As the shape templates train (Schmidtke et al., CVPR 2021, on Human3.6M cut on a raster): the
    background is one, while time, even activity, may differ.

    Args:
        store: The clips; each needs a window.
        by_frames: Whether a scene is drawn in proportion to its number of frames or equally often.

    Raises:
        UserError: A clip has no window, or no scene has two frames.

    Attributes:
        scenes: Clip indices of each scene that has two frames or more.
        unusable: Names of the clips in scenes of a single frame.
    """

    def __init__(self, store: ClipStore, *, by_frames: bool = True) -> None:
        self.store = store
        groups: dict[object, list[int]] = {}
        for i, clip in enumerate(store.clips):
            if clip.window is None:
                raise UserError(
                    f"{store.path}: clip '{clip.name}' does not say where it was cut, so that no "
                    "background can be told; prepare the folder again, or synthesize with --window"
                )
            # Of a stranger only the recording itself is known to show the same person.
            who = clip.actor or f"of {clip.source or clip.name}"
            groups.setdefault((who, clip.view, clip.window), []).append(i)
        lengths = {key: sum(len(store.clips[i]) for i in group) for key, group in groups.items()}
        self.scenes = [tuple(group) for key, group in groups.items() if lengths[key] >= 2]
        self.unusable = tuple(
            store.clips[i].name for key, group in groups.items() if lengths[key] < 2 for i in group
        )
        if not self.scenes:
            raise UserError(
                f"{store.path}: no two frames share actor, camera and window; draw pairs of frames "
                "within clips instead"
            )
        # The frames of all scenes laid end to end: where each clip begins, where each scene does.
        self._clips = np.array([i for scene in self.scenes for i in scene], np.int64)
        ends = np.cumsum([len(store.clips[i]) for i in self._clips])
        self._starts = np.concatenate([[0], ends[:-1]])
        scene_ends = ends[np.cumsum([len(scene) for scene in self.scenes]) - 1]
        self._first = np.concatenate([[0], scene_ends[:-1]])
        self._count = scene_ends - self._first
        self._scene = WeightedChoice(self._count if by_frames else np.ones(len(self.scenes)))

    def sample(
        self, batch: int, rng: np.random.Generator, share: slice = slice(None)
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int64]]:
        """Draws ``batch`` pairs of different frames; see ``FramePairs.sample``."""
        uniform = rng.random((batch, 3))
        scene = self._scene(uniform[:, 0])
        count = self._count[scene]
        first = np.minimum((uniform[:, 1] * count).astype(np.int64), count - 1)
        second = np.minimum((uniform[:, 2] * (count - 1)).astype(np.int64), count - 2)
        second += second >= first  # every other frame equally likely
        where, partner = (self._find(self._first[scene] + f)[share] for f in (first, second))
        return read_frames(self.store, where), read_frames(self.store, partner), where

    def _find(self, place: NDArray[np.int64]) -> NDArray[np.int64]:
        """(N,2) clip and frame of places among all frames."""
        at = np.searchsorted(self._starts, place, side="right") - 1
        return np.stack([self._clips[at], place - self._starts[at]], axis=1)
