"""A small moving body with known geometry, its recordings, and clips that show it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fastpose.data.body_shapes import draw_bodies
from fastpose.data.camera import project
from fastpose.data.clips import ClipStore, ClipWriter
from fastpose.data.framing import frame_points
from fastpose.data.motion_capture import JOINTS, Motion
from fastpose.data.pose_bank import build_bank

J = {joint: i for i, joint in enumerate(JOINTS)}
_MIDDLE = {"pelvis": 0.95, "spine": 1.2, "thorax": 1.45, "head": 1.55, "head_top": 1.75}
_SIDE = {
    "hip": (0.09, 0.93, 0.0), "knee": (0.09, 0.5, 0.02), "ankle": (0.09, 0.08, 0.0),
    "toe": (0.09, 0.02, 0.13), "shoulder": (0.18, 1.42, 0.0),
}  # fmt: skip


def body(left: float = 0.0, right: float = 0.0, bow: float = 0.0) -> np.ndarray:
    """(19,3) metres, facing +z. Arms raised sideways by degrees, trunk bowed forward by degrees."""
    joints = np.zeros((len(JOINTS), 3))
    for name, height in _MIDDLE.items():
        joints[J[name]] = (0.0, height, 0.0)
    for side, sign, raised in (("l", 1.0, left), ("r", -1.0, right)):
        for part, (x, y, z) in _SIDE.items():
            joints[J[f"{side}_{part}"]] = (sign * x, y, z)
        angle = np.radians(raised)
        down = np.array([sign * np.sin(angle), -np.cos(angle), 0.0])
        shoulder = joints[J[f"{side}_shoulder"]]
        joints[J[f"{side}_elbow"]] = shoulder + 0.28 * down
        joints[J[f"{side}_wrist"]] = shoulder + 0.53 * down
    upper = [
        i
        for j, i in J.items()
        if not any(p in j for p in ("hip", "knee", "ankle", "toe", "pelvis"))
    ]
    turn, hinge = np.radians(bow), joints[J["pelvis"]].copy()
    y, z = (joints[upper] - hinge)[:, 1:].T
    joints[upper, 1] = hinge[1] + y * np.cos(turn) - z * np.sin(turn)
    joints[upper, 2] = hinge[2] + y * np.sin(turn) + z * np.cos(turn)
    return joints.astype(np.float32)


def waving(frames: int = 24, name: str = "wave", source: str = "a") -> Motion:
    """Both arms swing from hanging to overhead, in opposite time."""
    phase = np.linspace(0.0, 2.0 * np.pi, frames, endpoint=False)
    raised = 85.0 - 85.0 * np.cos(phase)
    poses = [body(a, b) for a, b in zip(raised, np.roll(raised, frames // 2), strict=True)]
    return Motion(np.stack(poses), 30.0, name, action="waving", source=source)


def bowing(frames: int = 16, name: str = "bow", source: str = "b") -> Motion:
    """The trunk bows by up to 80 degrees."""
    angles = 40.0 - 40.0 * np.cos(np.linspace(0.0, 2.0 * np.pi, frames, endpoint=False))
    return Motion(np.stack([body(bow=a) for a in angles]), 30.0, name, "bowing", source=source)


def write_npz(path: Path, motions: list[Motion], **changes: object) -> Path:
    """The recordings in the packed format; ``changes`` replace or (None) remove arrays."""
    lengths = [len(m) for m in motions]
    data: dict[str, object] = {
        "positions": np.concatenate([m.positions for m in motions]),
        "valid": np.ones(sum(lengths), bool),
        "clip_start": np.cumsum([0, *lengths[:-1]]),
        "clip_length": np.array(lengths),
        "clip_name": np.array([m.name for m in motions]),
        "clip_action": np.array([m.action for m in motions]),
        "clip_subject": np.array([m.subject for m in motions]),
        "fps": np.float32(30.0),
        "joint_names": np.array(JOINTS),
    }
    data |= changes
    np.savez(path, **{k: v for k, v in data.items() if v is not None})  # type: ignore[arg-type]
    return path


def write_clips(
    path: Path,
    motions: list[Motion],
    *,
    size: int = 48,
    height: float = 0.9,
    top: float = 0.2,
    yaw: float = 0.0,
) -> ClipStore:
    """Dark people before a bright noisy wall, one clip for each recording, framed as told."""
    rng = np.random.default_rng(5)
    with ClipWriter(path, size) as writer:
        for motion in motions:
            bank = build_bank([motion], thinning=0.0, bone_normalisation=0.0)
            count = len(bank)
            full = np.ones(count)
            view = project(bank.positions(), yaw * full, 0 * full, 0 * full, 5.0 * full)
            points = frame_points(view, height * full, (top + height) * full, 0.5 * full)
            drawn = draw_bodies(
                0.5 * (points + 1.0), 0.008, height=height, extent=(0.0, 0.0, 1.0), cells=size
            )
            wall = rng.integers(170, 190, (1, size, size, 1)).astype(np.float32)
            share = drawn[..., None] / 255.0
            video = wall * (1.0 - share) + np.array([40.0, 60.0, 90.0]) * share
            video = video + rng.normal(0.0, 2.0, video.shape)
            frames = np.clip(video, 0, 255).astype(np.uint8)
            writer.add(motion.name, frames, fps=15.0, activity=motion.action)
    return ClipStore.open(path)
