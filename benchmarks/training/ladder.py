"""A training step of KeypointGAN from plain PyTorch to ours, one rung at a time.

    python -m benchmarks.training.ladder --out FILE.json [--recipe keypointgan] [--batch N]

First both ends train some steps from the same weights on the same batches in float32 and must give
the same losses. Then every rung takes a step in each round, in random order, so that a busy machine
slows all alike. Batches are noise: how long a step takes does not depend on them.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.harness import Contender, interleave, machine, ratio
from benchmarks.training.baselines.keypoint_gan import Baseline, Pieces, plain
from fastpose import ops
from fastpose.errors import UserError
from fastpose.models.keypoint_gan import KeypointGAN
from fastpose.nn.feature_network import FeatureNetwork
from fastpose.recipes.base import Recipe, build_model
from fastpose.recipes.registry import get_recipe
from fastpose.skeletons import get_skeleton
from fastpose.training.state import TrainState
from fastpose.training.step import Stepper

SAME = 1e-3  # largest relative difference of a loss between the two ends
Batch = dict[str, Tensor]
Step = Callable[[Batch], dict[str, float]]


class Ladder:
    """All rungs for one recipe, batch size and device, each with weights of its own."""

    def __init__(self, recipe: Recipe, batch: int, device: torch.device) -> None:
        stage = next(s for s in recipe.stages if s.name == "main")
        self.stage = replace(stage, batch_size=batch)
        self.recipe, self.device = recipe, device
        torch.manual_seed(recipe.seed)
        with warnings.catch_warnings():  # that its features are random: they cost the same
            warnings.simplefilter("ignore")
            model = build_model(recipe, get_skeleton(recipe.skeleton))
        assert isinstance(model, KeypointGAN)
        self.model = model

    def batches(self, count: int, seed: int = 0) -> list[Batch]:
        """Noise in the shapes of a batch, channels-last as the loader gives it."""
        source = torch.Generator().manual_seed(seed)
        size, joints = self.recipe.model.image_size, len(self.model.skeleton.joints)
        found = []
        for _ in range(count):
            pictures = torch.rand(2, self.stage.batch_size, 3, size, size, generator=source)
            target, other = (pictures * 2 - 1).to(self.device)
            poses = torch.rand(self.stage.batch_size, joints, 2, generator=source)
            found.append({
                "target": target.contiguous(memory_format=torch.channels_last),
                "other": other.contiguous(memory_format=torch.channels_last),
                "poses": (poses * 1.6 - 0.8).to(self.device),
            })  # fmt: skip
        return found

    def plain(self, change: Callable[[Pieces, KeypointGAN], Pieces], channels_last: bool) -> Step:
        """The baseline with some pieces exchanged."""
        layout = torch.channels_last if channels_last else torch.contiguous_format
        model = copy.deepcopy(self.model).to(self.device)
        model = model.to(memory_format=layout)  # type: ignore[call-overload]
        config = self.recipe.model
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            features = FeatureNetwork(
                config.features, config.feature_weights, relu=config.feature_relu
            ).to(self.device)
        features = features.to(memory_format=layout)  # type: ignore[call-overload]
        baseline = Baseline(model, self.stage, change(plain(model, features), model))

        def step(batch: Batch) -> dict[str, float]:
            if not channels_last:
                batch = {k: v.contiguous() for k, v in batch.items()}
            return baseline.step(batch)

        return step

    def ours(self, precision: str) -> Step:
        """The step of `fastpose train`."""
        state = TrainState(
            copy.deepcopy(self.model),
            (self.stage,),
            ema_decay=self.recipe.ema_decay,
            precision=precision,
            seed=0,
            device=self.device,
        )
        stage, steps = state.enter_stage(), Stepper(state, print)
        return lambda batch: steps.take(stage, 0, batch).read()

    def rungs(self) -> dict[str, Step]:
        """From plain PyTorch to ours, in order."""

        def as_it_is(pieces: Pieces, model: KeypointGAN) -> Pieces:
            return pieces

        def narrow(pieces: Pieces, model: KeypointGAN) -> Pieces:
            return replace(pieces, autocast=True)

        def with_operators(pieces: Pieces, model: KeypointGAN) -> Pieces:
            def draw(points: Tensor) -> Tensor:
                return ops.render_skeleton(
                    points, model.skeleton.limbs, model.image_size, sharpness=model.config.sharpness
                )

            def decode(logits: Tensor) -> tuple[Tensor, Tensor]:
                return ops.soft_argmax(logits, extent=model.config.keypoint_extent)

            return replace(pieces, autocast=True, draw=draw, decode=decode)

        return {
            "plain PyTorch": self.plain(as_it_is, channels_last=False),
            "+ bfloat16, channels-last": self.plain(narrow, channels_last=True),
            "+ fastpose's drawing and soft-argmax": self.plain(with_operators, channels_last=True),
            "fastpose train": self.ours("bfloat16"),
            "fastpose train, float32": self.ours("float32"),
        }


def differences(ladder: Ladder, steps: int) -> dict[str, float]:
    """The largest relative difference of each loss between the two ends of the ladder, float32."""
    first = ladder.plain(lambda pieces, _: pieces, channels_last=False)
    last = ladder.ours("float32")
    worst: dict[str, float] = {}
    for index, batch in enumerate(ladder.batches(steps)):
        torch.manual_seed(index)  # of the image pools
        expected = first(batch)
        torch.manual_seed(index)
        found = last(batch)
        for name, value in expected.items():
            difference = abs(found[name] - value) / max(abs(value), 1e-6)
            worst[name] = max(worst.get(name, 0.0), difference)
    return worst


def measure(ladder: Ladder, rounds: int) -> list[dict[str, Any]]:
    """Seconds of a step on every rung, and how many times faster than the first it is."""
    (batch,) = ladder.batches(1, seed=1)
    rows = []
    for name, step in ladder.rungs().items():
        rows.append(Contender(name, lambda step=step: (step(batch), _wait(ladder.device))))
    interleave(rows, rounds)
    size = ladder.stage.batch_size
    return [
        {
            "rung": row.name,
            **row.summary(),
            "images_per_s": round(size / min(row.wall), 2),
            "times_faster": {m: ratio(rows[0], row, m) for m in ("wall", "cpu")},
        }
        for row in rows
    ]


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--out", type=Path, help="JSON file for all figures")
    parser.add_argument("--recipe", default="keypointgan")
    parser.add_argument("--batch", type=int, help="images a step; the recipe's without")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=50, help="of the comparison of losses")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    chosen = parser.parse_args(arguments)
    try:
        recipe = get_recipe(chosen.recipe)
    except UserError as error:
        parser.error(str(error))
    if recipe.model.motion_weight:
        parser.error(f"--recipe {chosen.recipe}: its loss is weighted, the paper's is not")
    batch = chosen.batch or next(s.batch_size for s in recipe.stages if s.name == "main")
    ladder = Ladder(recipe, batch, torch.device(chosen.device))
    worst = differences(ladder, chosen.steps)
    same = max(worst.values()) <= SAME
    report = {
        "machine": machine(),
        "threads": torch.get_num_threads(),
        "recipe": recipe.name,
        "batch": batch,
        "image_size": recipe.model.image_size,
        "command": "python -m benchmarks.training.ladder " + " ".join(sys.argv[1:]),
        "losses": {"steps": chosen.steps, "largest_difference": worst, "same": same},
        "rungs": measure(ladder, chosen.rounds),
    }
    print(table(report))
    if chosen.out is not None:
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        chosen.out.write_text(json.dumps(report, indent=1) + "\n")
    return 0 if same else 1


def table(report: dict[str, Any]) -> str:
    """A line for each rung."""
    losses = report["losses"]
    worst = max(losses["largest_difference"].values())
    lines = [
        f"{report['recipe']}, batch {report['batch']}, {report['image_size']} pixels, "
        f"threads: {report['threads']}",
        f"losses over {losses['steps']} steps differ by at most {worst:.1e}"
        + ("" if losses["same"] else f": more than {SAME:g}"),
    ]
    for row in report["rungs"]:
        times = row["times_faster"]
        lines.append(
            f"{row['rung']:40} {row['wall_ms']['min']:9.1f} ms {row['images_per_s']:8.1f} images/s"
            f"  {times['wall']['of_minima']:5.2f}x wall  {times['cpu']['of_minima']:5.2f}x cpu"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
