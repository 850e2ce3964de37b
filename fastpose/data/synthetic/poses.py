"""Unpaired poses: motion of actors that no picture shows, for priors."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from fastpose.data.motion_capture import PARENTS, Motion
from fastpose.data.motion_capture.npz import save_arrays
from fastpose.data.synthetic.body import JOINT, SKELETON, random_body
from fastpose.data.synthetic.config import SyntheticConfig, check_range
from fastpose.data.synthetic.people import POSE_STREAM, GeneratedMotion, stream
from fastpose.errors import UserError
from fastpose.skeletons import get_skeleton


def motion_clips(
    n_clips: int,
    seed: int = 0,
    *,
    frames_per_clip: int = 64,
    fps: float = 15.0,
    config: SyntheticConfig | None = None,
) -> list[Motion]:
    """Recordings of synthetic motion, each by an actor of its own.

    Random numbers come from a stream that no clip of :class:`SyntheticPeople` uses, so actors and
    motions differ from those of the pictures even under the same seed.

    Args:
        n_clips: how many recordings.
        seed: another seed gives other actors and motions.
        frames_per_clip: frames of each.
        fps: frames per second.
        config: activities, body spreads and travel; the rest is not used.
    """
    check_range("clips", n_clips, 1, 1_000_000)
    check_range("frames per clip", frames_per_clip, 1, 100_000)
    check_range("fps", fps, 1, 240)
    check_range("seed", seed, 0, 2**63)
    config = config or SyntheticConfig()
    source = GeneratedMotion(config.activities)
    clips = []
    for index in range(n_clips):
        rng = stream(seed, POSE_STREAM, index)
        body = random_body(
            rng,
            bone_spread=config.bone_spread,
            girth_spread=config.girth_spread,
            kind=config.body,
        )
        moved = source.draw(rng, body, frames=frames_per_clip, fps=fps, travel=config.travel)
        clips.append(
            Motion(
                positions=moved.positions.astype(np.float32),
                fps=fps,
                name=f"p{seed}_{index:06d}",
                action=moved.activity,
                subject=f"p{seed}_a{index:06d}",
                source="fastpose synthetic motion",
            )
        )
    return clips


def motion_poses(n_clips: int, seed: int = 0, *, frames_per_clip: int = 64) -> np.ndarray:
    """The poses of :func:`motion_clips` in one array (N,19,3) float32, metres, y up."""
    clips = motion_clips(n_clips, seed, frames_per_clip=frames_per_clip)
    return np.concatenate([clip.positions for clip in clips])


def write_poses(
    path: str | os.PathLike[str],
    n_clips: int,
    seed: int = 0,
    *,
    frames_per_clip: int = 64,
    fps: float = 15.0,
    config: SyntheticConfig | None = None,
    overwrite: bool = False,
) -> Path:
    """Write :func:`motion_clips` as a motion-capture npz, complete or not at all.

    Raises:
        UserError: a name that does not end in .npz, a file that exists, or a number out of range.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise UserError(f"{path}: poses are written to one file; give a name ending in .npz")
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name a file to write poses to")
    if path.exists() and not overwrite:
        raise UserError(f"{path}: exists; choose another name or pass --overwrite")
    motions = motion_clips(n_clips, seed, frames_per_clip=frames_per_clip, fps=fps, config=config)
    length = np.array([len(motion) for motion in motions], np.int64)
    h36m = get_skeleton("h36m17").joints
    arrays = {
        "positions": np.concatenate([motion.positions for motion in motions]).astype(np.float32),
        "valid": np.ones(int(length.sum()), bool),
        "clip_start": np.cumsum(length) - length,
        "clip_length": length,
        "clip_name": np.array([motion.name for motion in motions]),
        "clip_action": np.array([motion.action for motion in motions]),
        "clip_subject": np.array([motion.subject for motion in motions]),
        "fps": np.float32(motions[0].fps),
        "joint_names": np.array(SKELETON.joints),
        "parents": np.array(PARENTS, np.int64),
        "mirror": np.array(SKELETON.mirror, np.int64),
        "h36m17_index": np.array([JOINT[joint] for joint in h36m], np.int64),
        "up_axis": np.array("y"),
        "unit": np.array("metre"),
        "source": np.array(motions[0].source),
        "licence": np.array("made by fastpose synthesize; no rights reserved"),
    }
    save_arrays(path, arrays)
    return path
