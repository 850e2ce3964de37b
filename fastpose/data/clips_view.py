"""A sheet of a clips folder: some frames of each clip, with what is known of them."""

from __future__ import annotations

import numpy as np

from fastpose.data.clips import Clip, ClipStore
from fastpose.media.drawing import contact_sheet, draw_skeleton
from fastpose.media.images import resize
from fastpose.skeletons import Skeleton

_SIDE = 112  # of a picture on the sheet, in pixels


def view_clips(store: ClipStore, *, clips: int = 20, columns: int = 10) -> np.ndarray:
    """Draw ``columns`` frames of each of up to ``clips`` clips, spread over the folder.

    Where all clips are single pictures, a row shows ``columns`` of them.
    Joints are drawn where the clips carry them, and what is not the person is dimmed where they
    carry masks.

    Returns:
        (H,W,3) uint8.
    """
    single = all(len(clip) == 1 for clip in store.clips)
    count = min(clips * columns if single else clips, len(store.clips))
    chosen = [
        store.clips[i] for i in np.linspace(0, len(store.clips) - 1, count).round().astype(int)
    ]
    if single:  # pictures that are no videos: one row for several of them
        rows = []
        for first in range(0, count, columns):
            row = chosen[first : first + columns]
            pictures = [_pictures(clip, store.skeleton, 1)[0] for clip in row]
            rows.append((f"{row[0].name} to {row[-1].name}", pictures))
    else:
        rows = [(_caption(clip), _pictures(clip, store.skeleton, columns)) for clip in chosen]
    title = f"{store.path.name}: {len(store.clips)} clips, {store.frames_total} frames"
    return contact_sheet(rows, title=f"{title} of {store.size} x {store.size} pixels")


def _caption(clip: Clip) -> str:
    known = [clip.activity, clip.actor, "partial" if clip.partial else None]
    return ", ".join([f"{clip.name}: {len(clip)} frames", *(k for k in known if k)])


def _pictures(clip: Clip, skeleton: Skeleton | None, columns: int) -> list[np.ndarray]:
    chosen = np.unique(np.linspace(0, len(clip) - 1, columns).round().astype(int))
    pictures = []
    for i in chosen:
        frame = np.asarray(clip.frames[i])
        if clip.mask is not None:
            frame = (frame * (0.35 + 0.65 * (clip.mask[i][..., None] / 255.0))).astype(np.uint8)
        picture = resize(frame, (_SIDE, _SIDE))
        if clip.keypoints is not None and skeleton is not None:
            points = (clip.keypoints[i] + 0.5) * (_SIDE / len(frame)) - 0.5
            if clip.visible is not None:
                points = np.where(clip.visible[i][:, None], points, np.nan)
            picture = draw_skeleton(picture, points, skeleton)
        pictures.append(picture)
    return pictures
