"""A training step of KeypointGAN from plain PyTorch to ours, one rung at a time.

    python -m benchmarks.training.ladder --out FILE.json [--recipe NAME] [--batch N] [--compile]

First both ends train some steps from the same weights on the same batches and must give the same
losses: in float64, at a tenth of the learning rate. At the full rate adversaries enlarge whatever
is rounded otherwise, so that only the first steps can agree; how many do is said (see `compare`).
Then every rung takes a step in each round, in random order, so that a busy machine slows all alike.
Batches are noise: how long a step takes does not depend on them. The rung of one CUDA graph is
measured where there is a GPU.
"""

from __future__ import annotations

import argparse
import copy
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.harness import machine
from benchmarks.training import steps
from benchmarks.training.baselines.keypoint_gan import Baseline, Pieces, plain
from benchmarks.training.steps import Batch, Step
from fastpose import ops
from fastpose.errors import UserError
from fastpose.models.keypoint_gan import KeypointGAN, KeypointGANConfig
from fastpose.recipes import Recipe, get_recipe
from fastpose.training.phases import OFF, ON

SAME = 1e-3  # largest relative difference of a loss between the two ends


class Ladder:
    """All rungs for one recipe, batch size and device, each with weights of its own.

    Args:
        recipe, batch, device: what trains, how many pictures a step, where.
        dtype: of weights and pictures.
        rate: factor on the learning rates.
        compile: add rungs of networks by torch.compile, which takes minutes.
    """

    def __init__(
        self,
        recipe: Recipe,
        batch: int,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        rate: float = 1.0,
        compile: bool = False,
    ) -> None:
        stage = next(s for s in recipe.stages if s.name == "main")
        phases = tuple(
            replace(p, optimizer=replace(p.optimizer, lr=rate * p.optimizer.lr))
            for p in stage.phases
        )
        self.stage = replace(stage, batch_size=batch, phases=phases)
        self.recipe, self.device, self.dtype, self.compile = recipe, device, dtype, compile
        torch.manual_seed(recipe.seed)
        model = steps.build(recipe)
        assert isinstance(model, KeypointGAN) and model.perceptual is not None
        self.model, self.config = model.to(dtype), model.config
        (network,) = model.perceptual._network
        network = network.to(device, dtype)
        self.features = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def batches(self, count: int, seed: int = 0) -> list[Batch]:
        """Noise in the shapes of a batch, channels-last as the loader gives it."""
        source = torch.Generator().manual_seed(seed)
        like: Any = {"device": self.device, "dtype": self.dtype}
        batch, joints, found = self.stage.batch_size, len(self.model.skeleton.joints), []
        for _ in range(count):
            frames = steps.frames(batch, self.config.image_size, source, **like)
            poses = torch.rand(batch, joints, 2, generator=source) * 1.6 - 0.8
            found.append({**frames, "poses": poses.to(**like)})
        return found

    def plain(self, change: Callable[[Pieces, KeypointGAN], Pieces], channels_last: bool) -> Step:
        """The baseline with some pieces exchanged."""
        layout = torch.channels_last if channels_last else torch.contiguous_format
        model = copy.deepcopy(self.model).to(self.device)
        model = model.to(memory_format=layout)  # type: ignore[call-overload]
        baseline = Baseline(model, self.stage, change(plain(model, self.features), model))

        def step(batch: Batch) -> dict[str, float]:
            if not channels_last:
                batch = {k: v.contiguous() for k, v in batch.items()}
            return baseline.step(batch)

        return step

    def ours(self, precision: str, cuda_graph: str = OFF, *, compile: bool = False) -> Step:
        """The step of `fastpose train`."""
        return steps.our_step(
            copy.deepcopy(self.model),
            self.stage,
            ema_decay=self.recipe.ema_decay,
            precision=precision,
            device=self.device,
            cuda_graph=cuda_graph,
            compile=compile,
        )

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

        def with_losses(pieces: Pieces, model: KeypointGAN) -> Pieces:
            assert model.perceptual is not None
            return replace(
                with_operators(pieces, model),
                perceptual=model.perceptual,
                least_squares=ops.least_squares_gan,
            )

        found = {
            "plain PyTorch": self.plain(as_it_is, channels_last=False),
            "+ bfloat16, channels-last": self.plain(narrow, channels_last=True),
            "+ fastpose's drawing and soft-argmax": self.plain(with_operators, channels_last=True),
            "+ fastpose's losses": self.plain(with_losses, channels_last=True),
            "fastpose train": self.ours("bfloat16"),
            "fastpose train, float32": self.ours("float32"),
        }
        if self.device.type == "cuda":
            found["fastpose train, one graph"] = self.ours("bfloat16", ON)
        if self.compile:
            found["fastpose train, compiled"] = self.ours("bfloat16", compile=True)
            found["fastpose train, float32, compiled"] = self.ours("float32", compile=True)
        return found


def differences(ladder: Ladder, count: int) -> list[float]:
    """The largest relative difference of any loss between the two ends, step by step."""
    first = ladder.plain(lambda pieces, _: pieces, channels_last=False)
    last = ladder.ours("float32")  # that is: without autocast
    worst = []
    for index, batch in enumerate(ladder.batches(count)):
        torch.manual_seed(index)  # of the image pools
        expected = first(batch)
        torch.manual_seed(index)
        found = last(batch)
        worst.append(max(abs(found[k] - v) / max(abs(v), 1e-6) for k, v in expected.items()))
    return worst


def compare(recipe: Recipe, batch: int, device: torch.device, count: int) -> dict[str, Any]:
    """Whether both ends of the ladder compute the same losses, in float64.

    At the recipe's learning rate a rounding of 1e-16 grows several times larger with every step, as
    the adversaries answer each other, so that it is said how many steps agree. At a tenth of it
    rounding stays rounding: there all steps must.
    """
    at = {rate: Ladder(recipe, batch, device, torch.float64, rate) for rate in (0.1, 1.0)}
    slow, full = (differences(at[rate], count) for rate in (0.1, 1.0))
    return {
        "steps": count,
        "largest_difference_at_a_tenth_of_the_rate": max(slow),
        "same": max(slow) <= SAME,
        "differences_at_the_full_rate": full,
        "steps_that_agree_at_the_full_rate": next(
            (i for i, value in enumerate(full) if value > SAME), count
        ),
    }


def measure(ladder: Ladder, rounds: int) -> list[dict[str, Any]]:
    """Seconds of a step on every rung, and how many times faster than the first it is."""
    (batch,) = ladder.batches(1, seed=1)
    return steps.measure(ladder.rungs(), batch, rounds)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--out", type=Path, help="JSON file for all figures")
    parser.add_argument("--recipe", default="keypointgan")
    parser.add_argument("--batch", type=int, help="images a step; the recipe's without")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=50, help="of the comparison of losses")
    parser.add_argument("--compile", action="store_true", help="rungs of compiled networks too")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    chosen = parser.parse_args(arguments)
    try:
        recipe = get_recipe(chosen.recipe)
    except UserError as error:
        parser.error(str(error))
    if not isinstance(recipe.model, KeypointGANConfig):
        parser.error(f"--recipe {chosen.recipe}: is not one of KeypointGAN")
    if recipe.model.motion_weight:
        parser.error(f"--recipe {chosen.recipe}: its loss is weighted, the paper's is not")
    batch = chosen.batch or next(s.batch_size for s in recipe.stages if s.name == "main")
    ladder = Ladder(recipe, batch, torch.device(chosen.device), compile=chosen.compile)
    losses = compare(recipe, batch, torch.device(chosen.device), chosen.steps)
    report = {
        "machine": machine(),
        "threads": torch.get_num_threads(),
        "recipe": recipe.name,
        "batch": batch,
        "image_size": recipe.model.image_size,
        "command": f"python -m benchmarks.training.ladder --recipe {recipe.name} --batch {batch} "
        f"--rounds {chosen.rounds} --steps {chosen.steps}",  # without the path of a file
        "losses": losses,
        "rungs": measure(ladder, chosen.rounds),
    }
    print(table(report))
    steps.write(chosen.out, report)
    return 0 if losses["same"] else 1


def table(report: dict[str, Any]) -> str:
    """A line for each rung."""
    losses = report["losses"]
    heads = [
        f"{report['recipe']}, batch {report['batch']}, {report['image_size']} pixels, "
        f"threads: {report['threads']}",
        f"losses of {losses['steps']} steps at a tenth of the learning rate differ by at most "
        f"{losses['largest_difference_at_a_tenth_of_the_rate']:.1e}"
        + ("" if losses["same"] else f": more than {SAME:g}")
        + f"; at the full rate {losses['steps_that_agree_at_the_full_rate']} agree to {SAME:g}",
    ]
    return "\n".join([*heads, *steps.table(report["rungs"])])


if __name__ == "__main__":
    sys.exit(main())
