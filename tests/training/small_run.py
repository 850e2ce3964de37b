"""The smallest real run: a KeypointGAN of width 2 on a few painted clips and noisy bodies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from fastpose.data.clips import ClipWriter
from fastpose.data.motion_capture import JOINTS
from fastpose.recipes import Recipe, get_recipe, override
from fastpose.skeletons import Skeleton
from fastpose.training.run import TrainResult, train_run

_HEIGHTS = {
    "pelvis": 0.95, "spine": 1.2, "thorax": 1.45, "head": 1.6, "head_top": 1.75,
    "hip": 0.9, "knee": 0.5, "ankle": 0.1, "toe": 0.02,
    "shoulder": 1.4, "elbow": 1.15, "wrist": 0.9,
}  # fmt: skip


def small_recipe(*pairs: str) -> Recipe:
    """Four steps of pre-training and six of the main stage."""
    return override(
        get_recipe("keypointgan"),
        [
            "skeleton=limbs12",
            "model.width=2",
            "model.discriminator_width=2",
            "model.pool_size=2",
            "stages.pretrain.steps=4",
            "stages.pretrain.batch_size=2",
            "stages.main.steps=6",
            "stages.main.batch_size=2",
            "checkpoint_every=100",
            "sheet_every=100",
            "log_every=3",
            *pairs,
        ],
    )


def make_clips(
    path: Path, *, size: int = 64, clips: int = 2, frames: int = 6, labels: Skeleton | None = None
) -> Path:
    """Clips of a bright bar that wanders over a dark ground; ``labels`` are joints down the bar."""
    rng = np.random.default_rng(0)
    with ClipWriter(path, size, skeleton=labels) as writer:
        for number in range(clips):
            video = np.full((frames, size, size, 3), 40, np.uint8)
            lefts = []
            for t in range(frames):
                left = int(rng.integers(size // 4, size // 2))
                video[t, size // 4 :, left : left + size // 8] = rng.integers(120, 255, 3)
                lefts.append(left)
            marked = None
            if labels is not None:
                down = np.linspace(size // 4, size - 1, len(labels.joints))
                at = np.repeat(np.array(lefts) + size / 16, len(down)).reshape(frames, -1)
                marked = np.stack([at, np.broadcast_to(down, at.shape)], axis=-1).astype(np.float32)
            writer.add(f"clip{number}", video, fps=10.0, keypoints=marked)
    return path


def make_prior(path: Path, *, frames: int = 40) -> Path:
    """Motion capture of a standing body whose joints wobble."""
    rng = np.random.default_rng(1)
    body = np.zeros((len(JOINTS), 3), np.float32)
    for index, joint in enumerate(JOINTS):
        side = {"l_": 0.2, "r_": -0.2}.get(joint[:2], 0.0)
        body[index] = (side, _HEIGHTS[joint.removeprefix("l_").removeprefix("r_")], 0.0)
    positions = body + rng.normal(0, 0.05, (frames, *body.shape)).astype(np.float32)
    np.savez(path, positions=positions, joint_names=np.array(JOINTS), fps=30.0)
    return path


def quiet() -> Console:
    """A console that says nothing."""
    return Console(file=open("/dev/null", "w"))


def start(folder: Path, recipe: Recipe | None = None, **options: Any) -> TrainResult:
    """Train in ``folder/run`` on ``folder/clips`` and ``folder/prior.npz``, made where missing."""
    clips, prior = folder / "clips", folder / "prior.npz"
    if not clips.exists():
        make_clips(clips)
        make_prior(prior)
    options = {"threads": 1, "console": quiet(), **options}
    return train_run(recipe or small_recipe(), clips, [prior], folder / "run", **options)
