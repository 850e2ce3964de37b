"""Whether the frames of a clip share their background, which shape templates need of every pair.

Only there does the pose have to come from the parts: where the background moves too, the picture
cannot be had from another frame and the parts, and the parts learn to follow the scene.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from fastpose.data.clips import ClipStore
from fastpose.data.foreground import shrink

MOVING = 0.2  # share of the border that may change between two frames of a still clip
_FRAMES = 12  # of a clip that are compared
_SIDE = 64  # frames are shrunk to it
_STRIP = 0.1  # width of the border, as a share of the side; below, people stand
_APART = 24.0  # colour distance (of 255 in each of three) by which a pixel has changed


@dataclass(frozen=True)
class StillBackground:
    """How much of each clip's border changes between two of its frames.

    Args:
        names: of the clips.
        moving: (clips,) median share over pairs of frames, in [0, 1].
    """

    names: tuple[str, ...]
    moving: np.ndarray

    @property
    def unstill(self) -> tuple[str, ...]:
        """Names of the clips whose background moves, the worst first."""
        order = np.argsort(-self.moving, kind="stable")
        return tuple(self.names[i] for i in order if self.moving[i] > MOVING)

    def report(self) -> str:
        """One line; what is wrong and what to do, where something is."""
        count, bad = len(self.names), self.unstill
        if not bad:
            return f"background: still in all {count} clips"
        worst = ", ".join(bad[:3]) + (", ..." if len(bad) > 3 else "")
        return (
            f"background: moves in {len(bad)} of {count} clips ({worst}; up to "
            f"{self.moving.max():.0%} of the border changes, {MOVING:.0%} is still); shape "
            "templates need a fixed camera, so leave these clips out"
        )


def measure_background(store: ClipStore) -> StillBackground:
    """Compare frames of every clip of ``store`` along the left, right and upper border."""
    shares = [moving_share(clip.frames) for clip in store.clips]
    return StillBackground(tuple(clip.name for clip in store.clips), np.array(shares))


def moving_share(frames: np.ndarray) -> float:
    """Median over pairs of frames of the share of the border that changed, in [0, 1].

    A frame that is brighter as a whole has not changed. A person who reaches the border counts for
    what is covered there, which is little.

    Args:
        frames: (N,S,S,3) uint8 RGB; of one frame the share is 0.
    """
    chosen = np.unique(np.linspace(0, len(frames) - 1, min(_FRAMES, len(frames))).astype(int))
    video = shrink(np.asarray(frames[chosen]), _SIDE)
    strip = max(2, round(_STRIP * video.shape[2]))
    parts = (video[:, :, :strip], video[:, :, -strip:], video[:, :strip, strip:-strip])
    border = np.concatenate([part.reshape(len(video), -1, 3) for part in parts], axis=1)
    shares = []
    for first, second in itertools.combinations(border, 2):
        change = second - first
        change = change - np.median(change, axis=0)
        apart = np.sqrt((change**2).sum(axis=-1))
        shares.append((apart > _APART).mean())
    return float(np.median(shares)) if shares else 0.0
