"""What a run would do, in words, for ``--dry-run``."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from fastpose.data.clips import ClipStore
from fastpose.data.frame_pairs import FramePairs
from fastpose.data.pose_prior import PosePrior
from fastpose.training.checkpoint import checkpoint_bytes
from fastpose.training.files import free_bytes
from fastpose.training.run_config import RunConfig
from fastpose.training.state import TrainState


def describe_plan(
    config: RunConfig,
    run: Path,
    state: TrainState,
    clips: ClipStore,
    pairs: FramePairs,
    poses: PosePrior,
    *,
    stop: int,
    fit_prior: bool,
) -> list[str]:
    """One line each on model, clips, prior, stages, machine and outputs."""
    recipe = config.recipe
    unusable = f", {len(pairs.unusable)} of them too short" if pairs.unusable else ""
    prior = ", ".join(f"{key} {value}" for key, value in poses.describe().items())
    lines = [
        f"recipe {recipe.name}, skeleton {config.skeleton.name}, seed {recipe.seed}",
        f"model: {_parameters(state.model)}",
        f"clips: {len(clips.clips)} with {clips.frames_total} frames of {clips.size} x {clips.size}"
        f"{unusable} ({config.data})",
        f"prior: {prior}{', to be fitted to the clips' if fit_prior else ''}",
    ]
    for stage in recipe.stages:
        phases = ", ".join(phase.name for phase in stage.phases)
        lines.append(
            f"stage {stage.name}: {stage.steps} steps of batch {stage.batch_size}, phases {phases}"
        )
    if stop < state.total_steps:
        lines.append(f"stops after {stop} of {state.total_steps} steps")
    size, free = checkpoint_bytes(state) >> 20, free_bytes(run) >> 20
    plural = "" if config.threads == 1 else "s"
    return [
        *lines,
        f"device {config.device}, {config.threads} thread{plural}",
        f"writes to {run} ({free} MiB free): a checkpoint of at most {size} MiB every "
        f"{recipe.checkpoint_every} steps, a sheet every {recipe.sheet_every}",
    ]


def _parameters(model: nn.Module) -> str:
    counts = {n: sum(p.numel() for p in m.parameters()) for n, m in model.named_children()}
    parts = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
    return f"{sum(counts.values())} parameters ({parts})"
