"""Synthetic people as a clips folder on disk, with a contact sheet."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from fastpose.data.clips import ClipWriter
from fastpose.data.datasets.views import looking_at
from fastpose.data.synthetic.config import check_range
from fastpose.data.synthetic.parts import PART_NAMES
from fastpose.data.synthetic.people import SyntheticClip, SyntheticPeople
from fastpose.data.synthetic.videos import write_video
from fastpose.media.drawing import contact_sheet, draw_skeleton
from fastpose.media.images import resize, write_image

_SHEET_ROWS, _SHEET_COLUMNS = 12, 6


def write_clips(
    out_dir: str | os.PathLike[str],
    n_clips: int,
    people: SyntheticPeople,
    *,
    first: int = 0,
    threads: int | None = None,
    videos: bool = False,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Render clips ``first`` to ``first + n_clips - 1`` into a clips folder.

    Args:
        out_dir: the folder to make; it exists complete or not at all.
        n_clips: how many clips.
        people: what to render.
        first: index of the first clip.
        threads: clips rendered at a time, by default one a processor; does not change a byte
            (of videos, the encoder may).
        videos: write each clip as a video with its truth too, see :func:`write_video`, into the
            sub-folder ``videos``.
        overwrite: replace an existing clips folder.
        progress: called with (clips done, clips in all) after each clip.

    Raises:
        UserError: the folder exists, or the numbers are out of range.
    """
    check_range("clips", n_clips, 1, 1_000_000)
    check_range("first", first, 0, 1_000_000_000)
    threads = (os.cpu_count() or 1) if threads is None else threads
    check_range("threads", threads, 1, 1024)
    info = {
        "made_by": "fastpose synthesize",
        "seed": people.seed,
        "first_clip": first,
        "config": asdict(people.config),
        "backgrounds": len(people.backgrounds.files) if people.backgrounds else 0,
        "parts": PART_NAMES,
    }
    # Of a fixed window; others differ from clip to clip, and with them what is behind people.
    window = (-0.5, -0.5, people.size) if people.config.camera.window else None
    rows, cameras = [], {}
    with ClipWriter(
        out_dir, people.size, skeleton=people.skeleton, info=info, overwrite=overwrite
    ) as writer:
        indices = range(first, first + n_clips)
        clips = people.render_clips(indices, threads)
        if videos:
            (writer.root / "videos").mkdir()
        for done, clip in enumerate(clips, 1):
            writer.add(
                clip.name,
                clip.frames,
                fps=clip.fps,
                activity=clip.activity,
                actor=clip.actor,
                source=f"synthetic seed {people.seed}",
                keypoints=clip.keypoints,
                visible=clip.visible,
                mask=clip.mask,
                parts=clip.parts,
                keypoints3d=clip.keypoints3d,
                background=clip.background,
                window=window,
                group=clip.group,
                view=clip.view,
                rotation=_rotation_at_window(clip),
            )
            if videos:
                write_video(writer.root / "videos", clip)
            cameras[clip.name] = _calibration(clip)
            if len(rows) < _SHEET_ROWS:
                rows.append(sheet_row(clip))
            if progress:
                progress(done, n_clips)
        (writer.root / "cameras.json").write_text(_calibrations(people.size, cameras))
        write_image(writer.root / "sheet.png", contact_sheet(rows, title=f"seed {people.seed}"))
    return Path(out_dir)


def _rotation_at_window(clip: SyntheticClip) -> np.ndarray:
    """(T,3,3) from the world to the camera turned to the window's middle, as of prepared clips."""
    camera, size = clip.camera, clip.frames.shape[1]
    intrinsics = np.array([camera.focal, camera.focal, *camera.principal])
    rotation = looking_at(camera.rotation, intrinsics, (-0.5, -0.5, float(size)))
    return np.broadcast_to(rotation.astype(np.float32), (len(clip.frames), 3, 3))


def _calibration(clip: SyntheticClip) -> dict[str, Any]:
    camera = clip.camera
    return {
        "group": clip.group,
        "view": clip.view,
        "rotation": camera.rotation.tolist(),
        "centre": camera.centre.tolist(),
        "intrinsics": camera.intrinsics().tolist(),
    }


def _calibrations(size: int, cameras: Mapping[str, Any]) -> str:
    """The cameras as JSON, one clip a line, with the conventions that a reader needs."""
    about = {
        "size": size,
        "camera": "rotation @ (world - centre); metres; world y up, camera x right, y down",
        "pixel": "intrinsics @ camera, divided by its z; centre of the top-left pixel at (0, 0)",
    }
    lines = ",\n".join(f"  {json.dumps(n)}: {json.dumps(c)}" for n, c in cameras.items())
    return json.dumps(about, indent=1)[: -len("\n}")] + ',\n "clips": {\n' + lines + "\n }\n}\n"


def sheet_row(clip: SyntheticClip) -> tuple[str, list[np.ndarray]]:
    """Caption and pictures of one clip: frames, the skeleton over one of them, and its mask."""
    size = clip.frames.shape[1]
    factor = max(1, -(-128 // size))
    moments = np.linspace(0, len(clip.frames) - 1, _SHEET_COLUMNS).astype(int)
    wide = (size * factor, size * factor)
    pictures = [resize(clip.frames[i], wide) for i in moments]
    last = moments[-1]
    points = (clip.keypoints[last] + 0.5) * factor - 0.5
    drawn = draw_skeleton(
        pictures[-1],
        points,
        SyntheticPeople.skeleton,
        confidence=np.where(clip.visible[last], 1.0, 0.0),
        threshold=0.5,
    )
    mask = np.repeat(resize(clip.mask[last], wide)[..., None], 3, axis=2)
    return f"{clip.name}  {clip.activity}  {clip.actor}", [*pictures, drawn, mask]
