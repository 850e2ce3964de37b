"""Every way to draw pairs of frames, by name."""

from __future__ import annotations

from fastpose.data.clips import ClipStore
from fastpose.data.frame_pairs import FramePairs
from fastpose.data.scene_pairs import ScenePairs
from fastpose.data.view_pairs import ViewPairs
from fastpose.data.warp_pairs import WarpPairs
from fastpose.errors import UserError, nearest

PAIRS = ("frames", "earlier", "scenes", "warps", "views")
Pairs = FramePairs | ScenePairs | WarpPairs | ViewPairs


def make_pairs(
    kind: str,
    store: ClipStore,
    *,
    min_gap: int = 0,
    max_gap: int = 1000,
    by_frames: bool = True,
) -> Pairs:
    """What draws pairs of ``kind`` from ``store``; UserError where the clips do not allow it.

    Args:
        kind: "frames": two frames of a clip; "earlier": the same, the target the earlier one;
            "scenes": two frames of the same person before the same background; "warps": two warps
            of one frame; "views": one moment seen by two cameras.
        store: The clips.
        min_gap, max_gap, by_frames: see :class:`FramePairs`.
    """
    if kind in ("frames", "earlier"):
        order = "any" if kind == "frames" else "earlier"
        return FramePairs(store, min_gap=min_gap, max_gap=max_gap, by_frames=by_frames, order=order)
    if kind == "scenes":
        return ScenePairs(store, by_frames=by_frames)
    if kind == "warps":
        return WarpPairs(store, by_frames=by_frames)
    if kind == "views":
        return ViewPairs(store)
    raise UserError(f"pairs: one of {', '.join(PAIRS)}, not '{kind}'{nearest(kind, PAIRS)}")
