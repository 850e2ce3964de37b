"""Synthetic clips as videos, each with its truth beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fastpose.data.synthetic.people import SyntheticClip, SyntheticPeople
from fastpose.media.video import VideoWriter


def write_video(folder: Path, clip: SyntheticClip) -> None:
    """Write ``NAME.mp4`` (H.264, lossy; odd sizes are padded) and ``NAME.npz`` into a folder.

    The archive holds ``joints`` (names), ``keypoints``, ``keypoints3d`` and ``visible`` as in
    :class:`SyntheticClip`, the camera's ``rotation``, ``centre`` and ``intrinsics``, and ``fps``,
    ``actor``, ``activity``, ``group`` and ``view`` ("" without fixed cameras).
    """
    height, width = clip.frames.shape[1:3]
    with VideoWriter(folder / f"{clip.name}.mp4", clip.fps, (width, height)) as video:
        for frame in clip.frames:
            video.add(frame)
    np.savez_compressed(
        folder / f"{clip.name}.npz",
        joints=np.array(SyntheticPeople.skeleton.joints),
        keypoints=clip.keypoints,
        keypoints3d=clip.keypoints3d,
        visible=clip.visible,
        rotation=clip.camera.rotation,
        centre=clip.camera.centre,
        intrinsics=clip.camera.intrinsics(),
        fps=np.array(clip.fps),
        actor=np.array(clip.actor),
        activity=np.array(clip.activity),
        group=np.array(clip.group),
        view=np.array(clip.view or ""),
    )
