"""The real frames on which an export is compared with torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fastpose.data.clips import ClipStore
from fastpose.errors import UserError
from fastpose.training.run_config import CONFIG, RunConfig, find_run


def clips_of_run(run: str | Path) -> Path:
    """The clips that the run was trained on, `run` being its directory or a checkpoint within.

    Raises:
        UserError: nothing names them, or they are gone.
    """
    folder = find_run(run)
    if folder is None:
        raise UserError(f"{run}: no {CONFIG} names its clips; give --data")
    data = RunConfig.load(folder).data
    if data is None or not data.exists():
        raise UserError(f"{run}: the clips it learned from ({data}) are gone; give --data")
    return data


def spread_frames(store: ClipStore, count: int) -> np.ndarray:
    """`count` frames spread evenly over all clips, or all where there are fewer.

    Returns:
        uint8 (N, S, S, 3) RGB.

    Raises:
        UserError: `count` is under 1, or the clips hold no frame.
    """
    if count < 1:
        raise UserError(f"frames: at least 1 is needed, got {count}")
    ends = np.cumsum([len(clip.frames) for clip in store.clips])
    if len(ends) == 0 or ends[-1] == 0:
        raise UserError("the clips hold no frames; give --data with clips that do")
    total = int(ends[-1])
    images = []
    for number in np.unique(np.linspace(0, total - 1, min(count, total)).round().astype(int)):
        clip = int(np.searchsorted(ends, number, side="right"))
        frames = store.clips[clip].frames
        images.append(frames[int(number) - (int(ends[clip]) - len(frames))])
    return np.stack(images)
