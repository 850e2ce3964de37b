"""What a run would do, in words, for ``--dry-run``."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from fastpose.files import free_bytes
from fastpose.training.checkpoint import checkpoint_bytes
from fastpose.training.run_start import Opened


def describe_plan(opened: Opened, run: Path, *, stop: int, fit_prior: bool) -> list[str]:
    """One line each on model, clips, prior, stages, machine and outputs."""
    config, state, clips = opened.config, opened.state, opened.clips
    recipe, pairs, poses = config.recipe, opened.sources.frames, opened.poses
    lines = [
        f"recipe {recipe.name}, skeleton {config.skeleton.name}, seed {recipe.seed}",
        f"model: {_parameters(state.model)}",
    ]
    if clips is not None:
        alone = 0 if pairs is None else len(pairs.unusable)
        unusable = f", {alone} of them without a partner" if alone else ""
        lines.append(
            f"clips: {len(clips.clips)} with {clips.frames_total} frames of "
            f"{clips.size} x {clips.size}{unusable} ({config.data})"
        )
    if poses is not None:
        prior = ", ".join(f"{key} {value}" for key, value in poses.describe().items())
        lines.append(f"prior: {prior}{', to be fitted to the clips' if fit_prior else ''}")
    for stage in recipe.stages:
        phases = ", ".join(phase.name for phase in stage.phases)
        lines.append(
            f"stage {stage.name}: {stage.steps} steps of batch {stage.batch_size}, phases {phases}"
        )
    if stop < state.total_steps:
        lines.append(f"stops after {stop} of {state.total_steps} steps")
    size, free = checkpoint_bytes(state) >> 20, free_bytes(run) >> 20
    saved = f"every {n} steps" if (n := recipe.checkpoint_every) else "at stages' ends"
    drawn = f"a sheet every {n} steps" if (n := recipe.sheet_every) else "no sheets"
    threads = f"{config.threads} thread{'' if config.threads == 1 else 's'}"
    if config.processes > 1:
        threads += f" in each of {config.processes} processes, batch norm {recipe.batch_norm}"
    return [
        *lines,
        f"device {config.device}, {threads}",
        f"writes to {run} ({free} MiB free): a checkpoint of at most {size} MiB {saved}, {drawn}",
    ]


def _parameters(model: nn.Module) -> str:
    counts = {n: sum(p.numel() for p in m.parameters()) for n, m in model.named_children()}
    parts = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
    return f"{sum(counts.values())} parameters ({parts})"
