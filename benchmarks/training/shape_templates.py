"""A training step of shape templates: ours beside the papers' formulation in plain PyTorch.

    python -m benchmarks.training.shape_templates --out FILE.json [--batch N] [--size S]

First both must give the same losses and gradients for the same weights and batch, with the sampled
warp and in float64. Then every row takes a step in each round, in random order.
Batches are noise and the features random: how long a step takes does not depend on them.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.harness import machine
from benchmarks.training import steps
from benchmarks.training.baselines.shape_templates import Baseline
from benchmarks.training.steps import Batch, Step
from fastpose.models.shape_templates import ShapeTemplates, ShapeTemplatesConfig
from fastpose.nn.feature_network import FeatureNetwork
from fastpose.recipes import get_recipe
from fastpose.training.step import weighted_sum

SAME = 1e-5  # largest relative difference of a loss or the gradient


class Bench:
    """One size and batch."""

    def __init__(self, size: int, width: int, batch: int) -> None:
        recipe = get_recipe("shape-templates-paper")
        assert isinstance(recipe.model, ShapeTemplatesConfig)
        self.config = replace(
            recipe.model,
            image_size=size,
            features="random",
            regressor_width=width,
            translator_width=width,
        )
        self.recipe = replace(recipe, model=self.config)
        self.stage = replace(recipe.stages[0], batch_size=batch)
        torch.manual_seed(0)
        self.weights = self.build().state_dict()

    def build(self, **changes: Any) -> ShapeTemplates:
        model = steps.build(replace(self.recipe, model=replace(self.config, **changes)))
        assert isinstance(model, ShapeTemplates)
        return model

    def batch(self, dtype: torch.dtype = torch.float32) -> Batch:
        source = torch.Generator().manual_seed(0)
        return steps.frames(self.stage.batch_size, self.config.image_size, source, dtype=dtype)

    def plain(self, *, autocast: bool = False) -> Step:
        model = self.build()
        model.load_state_dict(self.weights)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            features = FeatureNetwork("random", layer=5)
        baseline = Baseline(model, self.stage, features, autocast=autocast)
        layout = torch.channels_last if autocast else torch.contiguous_format
        model.to(memory_format=layout)  # type: ignore[call-overload]
        return lambda batch: baseline.step(
            {k: v.contiguous(memory_format=layout) for k, v in batch.items()}
        )

    def ours(self, precision: str, warp: str) -> Step:
        model = self.build(warp=warp)
        model.load_state_dict(self.weights)
        return steps.our_step(model, self.stage, ema_decay=0.0, precision=precision)


def differences(bench: Bench) -> dict[str, float]:
    """Relative differences of losses and of the gradient between plain PyTorch and ours.

    In float64 and from the same weights: in float32 one step of Adam, which follows the sign of
    every gradient, makes rounding visible.
    """
    batch = bench.batch(torch.float64)
    theirs, ours = bench.build(warp="sampled").double(), bench.build(warp="sampled").double()
    theirs.load_state_dict(bench.weights)
    ours.load_state_dict(bench.weights)
    ours.train()
    (network,) = ours._network
    baseline = Baseline(theirs, bench.stage, network.double())
    total, expected = baseline.losses(batch)
    total.backward()
    found = ours.losses(batch, "main")
    weighted_sum(found, bench.stage.phases[0]).backward()
    worst = {
        name: abs(float(found[name].detach()) / float(value.detach()) - 1.0)
        for name, value in expected.items()
    }
    pairs = zip(theirs.parameters(), ours.parameters(), strict=True)
    gradients = [(a.grad, b.grad) for a, b in pairs if a.grad is not None and b.grad is not None]
    apart = sum(float(((a - b) ** 2).sum()) for a, b in gradients)
    worst["gradient"] = (apart / sum(float((a**2).sum()) for a, _ in gradients)) ** 0.5
    return worst


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--out", type=Path, help="JSON file for all figures")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=10)
    chosen = parser.parse_args(arguments)
    bench = Bench(chosen.size, chosen.width, chosen.batch)
    worst = differences(bench)
    same = max(worst.values()) <= SAME
    rungs = {
        "plain PyTorch": bench.plain(),
        "plain PyTorch, bfloat16, channels-last": bench.plain(autocast=True),
        "fastpose train, float32, sampled": bench.ours("float32", "sampled"),
        "fastpose train, float32": bench.ours("float32", "analytic"),
        "fastpose train": bench.ours("auto", "analytic"),
    }
    report = {
        "machine": machine(),
        "threads": torch.get_num_threads(),
        "image_size": chosen.size,
        "width": chosen.width,
        "batch": chosen.batch,
        "command": f"python -m benchmarks.training.shape_templates --size {chosen.size} "
        f"--width {chosen.width} --batch {chosen.batch} --rounds {chosen.rounds}",
        "relative_difference": worst,
        "same": same,
        "rungs": steps.measure(rungs, bench.batch(), chosen.rounds),
    }
    print(table(report))
    steps.write(chosen.out, report)
    return 0 if same else 1


def table(report: dict[str, Any]) -> str:
    """A line for each row."""
    heads = [
        f"shape templates, batch {report['batch']}, {report['image_size']} pixels, "
        f"threads: {report['threads']}",
        "relative differences in float64: "
        + ", ".join(f"{name} {value:.1e}" for name, value in report["relative_difference"].items()),
    ]
    return "\n".join([*heads, *steps.table(report["rungs"])])


if __name__ == "__main__":
    sys.exit(main())
