"""Motion of synthetic actors taken from motion capture instead of the generator."""

from __future__ import annotations

import os
from collections.abc import Iterable

import numpy as np

from fastpose.data.motion_capture import Motion, read_motions
from fastpose.data.synthetic.body import JOINT, Body
from fastpose.data.synthetic.motion import BodyMotion
from fastpose.data.synthetic.retarget import retarget
from fastpose.errors import UserError

_FASTEST = 12.0  # of all joints together, metres a second; no runner reaches it
_SOLE = 0.03  # of a toe joint above the ground, metres at scale 1 (assumed)


class RecordedMotion:
    """Pieces of recordings, each turned to start facing +z and set on the ground.

    The actor's own body makes the motion, see :func:`retarget`. Posture is the recording's: who
    stands in it stands, whatever the body.

    Args:
        motions: recordings; gaps left by missing frames are never bridged.
    """

    def __init__(self, motions: Iterable[Motion]) -> None:
        self._runs = [run for motion in motions for run in _unbroken(motion)]

    @classmethod
    def from_path(
        cls, paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
    ) -> RecordedMotion:
        """Read files or folders of motion capture; UserError where they cannot be read."""
        return cls(read_motions(paths))

    def draw(
        self, rng: np.random.Generator, body: Body, *, frames: int, fps: float, travel: float
    ) -> BodyMotion:
        """A piece of one recording, resampled to ``fps``; UserError where all are too short."""
        seconds = (frames - 1) / fps
        fitting = [run for run in self._runs if (len(run) - 1) / run.fps >= seconds]
        if not fitting:
            longest = max(((len(run) - 1) / run.fps for run in self._runs), default=0.0)
            raise UserError(
                f"motion: clips of {frames} frames at {fps:g} fps last {seconds:.2f} s, "
                f"the longest recording {longest:.2f} s; ask for fewer frames"
            )
        run = fitting[int(rng.integers(len(fitting)))]
        begin = rng.uniform(0, (len(run) - 1) / run.fps - seconds)
        place = np.minimum((begin + np.arange(frames) / fps) * run.fps, len(run) - 1)
        before = np.minimum(place.astype(int), max(len(run) - 2, 0))
        share = (place - before)[:, None, None]
        after = np.minimum(before + 1, len(run) - 1)
        joints = run.positions.astype(float)
        positions = (1 - share) * joints[before] + share * joints[after]
        positions = _set_down(retarget(positions, body), travel, _SOLE * body.scale)
        name = run.action or run.name
        return BodyMotion(positions, _facing(positions), name, body.scale, body.height)


def _unbroken(motion: Motion) -> list[Motion]:
    """The recording cut where the whole body jumps, as it does where frames are missing."""
    steps = np.linalg.norm(np.diff(motion.positions, axis=0), axis=-1).mean(axis=1)
    cuts = np.flatnonzero(steps * motion.fps > _FASTEST) + 1
    pieces = np.split(motion.positions, cuts)
    return [Motion(p, motion.fps, motion.name, motion.action, motion.subject) for p in pieces]


def _facing(positions: np.ndarray) -> np.ndarray:
    """(T,3) unit direction of the chest, which the face is taken to follow."""
    across = positions[:, JOINT["l_shoulder"]] - positions[:, JOINT["r_shoulder"]]
    up = positions[:, JOINT["thorax"]] - positions[:, JOINT["spine"]]
    front = np.cross(across, up)
    return front / np.maximum(np.linalg.norm(front, axis=-1, keepdims=True), 1e-9)


def _set_down(positions: np.ndarray, travel: float, sole: float) -> np.ndarray:
    """Turn the first frame to face +z, keep the path within ``travel`` metres, and bring the lowest
    joint to ``sole`` metres above the ground."""
    hips = positions[0, JOINT["l_hip"]] - positions[0, JOINT["r_hip"]]
    c, s = np.array([hips[0], hips[2]]) / max(float(np.hypot(hips[0], hips[2])), 1e-9)
    x, y, z = np.moveaxis(positions, -1, 0)
    positions = np.stack([c * x + s * z, y - y.min() + sole, c * z - s * x], axis=-1)
    root = positions[:, JOINT["pelvis"]][:, [0, 2]]
    path = root - root.mean(axis=0)
    reach = 2 * np.sqrt((path**2).sum(axis=1)).max()
    kept = path * min(1.0, travel / max(reach, 1e-9))
    positions[..., [0, 2]] += (kept - root)[:, None]
    return positions
