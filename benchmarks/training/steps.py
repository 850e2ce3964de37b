"""What the benchmarks of training steps share: batches, models, our step, timing and its table."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.harness import Contender, interleave, ratio
from fastpose.models.base import Model
from fastpose.recipes import Recipe, build_model
from fastpose.training.phases import Stage
from fastpose.training.state import TrainState
from fastpose.training.step import Stepper

Batch = dict[str, Tensor]
Step = Callable[[Batch], dict[str, float]]


def build(recipe: Recipe) -> Model:
    """The recipe's model; that its features are random is no news here: they cost the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return build_model(recipe, recipe.target)


def frames(batch: int, size: int, source: torch.Generator, **options: Any) -> Batch:
    """Pairs of pictures of noise, channels-last as the loader gives them.

    Args:
        options: device and dtype.
    """
    pair = torch.rand(2, batch, 3, size, size, generator=source) * 2 - 1
    target, other = (x.contiguous(memory_format=torch.channels_last) for x in pair.to(**options))
    return {"target": target, "other": other}


def our_step(model: Model, stage: Stage, **options: Any) -> Step:
    """The step of `fastpose train`.

    Args:
        options: of `TrainState`.
    """
    state = TrainState(model, (stage,), seed=0, **options)
    stage, steps = state.enter_stage(), Stepper(state, print)
    return lambda batch: steps.take(stage, 0, batch).read()


def measure(steps: Mapping[str, Step], batch: Batch, rounds: int) -> list[dict[str, Any]]:
    """Seconds of each step, and how many times faster than the first one it is."""

    def run(step: Step) -> None:
        step(batch)
        if batch["target"].is_cuda:
            torch.cuda.synchronize()

    rows = [Contender(name, lambda step=step: run(step)) for name, step in steps.items()]
    interleave(rows, rounds)
    return [
        {
            "rung": row.name,
            **row.summary(),
            "images_per_s": round(len(batch["target"]) / min(row.wall), 2),
            "times_faster": {m: ratio(rows[0], row, m) for m in ("wall", "cpu")},
        }
        for row in rows
    ]


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """A line for each row of :func:`measure`."""
    return [
        f"{row['rung']:40} {row['wall_ms']['min']:9.1f} ms {row['images_per_s']:8.1f} images/s"
        f"  {row['times_faster']['wall']['of_minima']:5.2f}x wall"
        f"  {row['times_faster']['cpu']['of_minima']:5.2f}x cpu"
        for row in rows
    ]


def write(out: Path | None, report: dict[str, Any]) -> None:
    """The report as JSON, where it is wanted."""
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(report, indent=1) + "\n")
