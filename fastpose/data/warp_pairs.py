"""Pairs from single pictures: two random warps of one picture stand for two poses."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fastpose.data.clips import ClipStore
from fastpose.data.frame_pairs import WeightedChoice, read_frames
from fastpose.data.thin_plate import FIRST, SECOND, ThinPlate, WarpConfig, warp


class WarpPairs:
    """Draws (warped frame, that frame warped again) of any clips, of single pictures too.

    Jakab et al. (NeurIPS 2018): target = T1(image), other = T2(target). What T1 brings in from
    outside the picture is black.

    Args:
        store: The clips.
        first, second: The two warps.
        by_frames: Whether every frame is equally likely, or every clip.
    """

    unusable: tuple[str, ...] = ()  # names of clips that are never drawn

    def __init__(
        self,
        store: ClipStore,
        *,
        first: WarpConfig = FIRST,
        second: WarpConfig = SECOND,
        by_frames: bool = True,
    ) -> None:
        self.store, self.first, self.second = store, first, second
        self._lengths = np.array([len(clip) for clip in store.clips], np.int64)
        self._clip = WeightedChoice(self._lengths if by_frames else np.ones(len(self._lengths)))
        self._spline = ThinPlate(store.size)

    def sample(
        self, batch: int, rng: np.random.Generator, share: slice = slice(None)
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int64]]:
        """Draws ``batch`` pairs; see ``FramePairs.sample``."""
        uniform = rng.random((batch, 2))
        clips = self._clip(uniform[:, 0])
        length = self._lengths[clips]
        frames = np.minimum((uniform[:, 1] * length).astype(np.int64), length - 1)
        where = np.stack([clips, frames], axis=1)[share]
        grids = [self._spline.draw(batch, c, rng)[share] for c in (self.first, self.second)]
        images = torch.from_numpy(read_frames(self.store, where)).permute(0, 3, 1, 2).float()
        target = warp(images, grids[0])
        return _bytes(target), _bytes(warp(target, grids[1])), where


def _bytes(images: Tensor) -> NDArray[np.uint8]:
    return images.permute(0, 2, 3, 1).round().clamp(0, 255).to(torch.uint8).contiguous().numpy()
