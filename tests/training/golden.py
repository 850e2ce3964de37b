"""The losses of 50 steps of each recipe, made small: ``python -m tests.training.golden --write``.

They are computed in float64 (see ``double.py``) and the adversaries learn at a tenth of their rate,
so that they hold on every processor and through every change that only rounds otherwise; what they
notice is a change of what is computed. At the full rate rounding grows tenfold with every step, and
fifteen steps make 1e-16 one part in ten thousand. Written anew they are to be looked at: which
curves moved, and was that meant?
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch

from fastpose.recipes import RECIPES, Recipe, get_recipe, override
from fastpose.training.run import train_run
from tests.training.double import double_precision
from tests.training.small_run import make_clips, make_prior, quiet

FOLDER = Path(__file__).parent / "golden_losses"
# Steps of each stage; those that need more than clips and poses are left out.
STEPS = {"pretrain": 10, "main": 40, "adults": 50, "target": 0, "predicted": 0}
# Free affine maps that begin all over the place enlarge rounding a hundredfold in four steps.
UNSTABLE = {"shape-templates-paper": 5}
SMALLER = {
    "model.image_size": 64,
    "model.width": 2,
    "model.discriminator_width": 2,
    "model.regressor_width": 2,
    "model.translator_width": 2,
    "model.pool_size": 4,
    "model.dropout": 0.0,
    "pairs": "frames",
    "augmentation.flip": False,
    "augmentation.scale": 0.0,
    "augmentation.shift": 0.0,
    "augmentation.rotation": 0.0,
    "precision": "float32",
    "checkpoint_every": 0,
    "sheet_every": 0,
    "log_every": 1,
}
# Statistics over the batch alone, as in layers without pixels, are nothing for two.
BATCH, BATCH_OF_LAYERS_WITH_PIXELS = 4, 2


def steps(name: str, stage: str) -> int:
    """How many of a stage of the recipe ``name``."""
    return min(STEPS[stage], UNSTABLE.get(name, STEPS[stage]))


def small(name: str) -> Recipe:
    """The recipe ``name`` with everything that costs time reduced, and without files."""
    recipe = get_recipe(name)
    fields = {field.name for field in dataclasses.fields(recipe.model)}
    adversarial = "discriminator_width" in fields
    pairs: dict[str, Any] = {
        key: value
        for key, value in SMALLER.items()
        if not key.startswith("model.") or key.removeprefix("model.") in fields
    }
    if "features" in fields:
        pairs["model.features"] = "random"  # no test has another's trained weights
    if adversarial:
        pairs["skeleton"] = "body18"  # nor the labels that h36m32 needs
    for stage in recipe.stages:
        pairs[f"stages.{stage.name}.steps"] = steps(name, stage.name)
        batch = BATCH_OF_LAYERS_WITH_PIXELS if adversarial else BATCH
        pairs[f"stages.{stage.name}.batch_size"] = batch
        if stage.name == "main":
            for phase in stage.phases:
                pairs[f"stages.main.{phase.name}.optimizer.lr"] = phase.optimizer.lr / 10
    return override(recipe, [f"{k}={json.dumps(v)}" for k, v in pairs.items()])


def curves(name: str, steps: int | None = None) -> dict[str, list[float]]:
    """Each loss, and each phase's gradient's norm, of the first steps; by default of all."""
    threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run, recipe = Path(folder) / "run", small(name)
        labels = recipe.target if "keypoints" in recipe.needs else None
        clips = make_clips(Path(folder) / "clips", labels=labels)
        prior = make_prior(Path(folder) / "prior.npz")
        data, poses = clips if recipe.needs_clips else None, [prior] if recipe.needs_poses else []
        train_run(recipe, data, poses, run, steps=steps, threads=1, console=quiet())
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    torch.set_num_threads(threads)
    found: dict[str, list[float]] = {}
    for line in lines:
        for key, value in line.items():
            if "/" in key and not key.endswith("/weights"):
                found.setdefault(key, []).append(value)
    return found


def golden(name: str) -> dict[str, Any]:
    """What is kept of ``name``."""
    return json.loads((FOLDER / f"{name}.json").read_text())


def main() -> None:
    """Compare, or write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="replace the losses that are kept")
    parser.add_argument("--only", nargs="*", default=list(RECIPES), help="recipes")
    chosen = parser.parse_args()
    write = chosen.write
    for name in chosen.only:
        with double_precision():
            found = curves(name)
        if write:
            FOLDER.mkdir(exist_ok=True)
            lines = [f" {json.dumps(k)}: {json.dumps(v)}" for k, v in found.items()]
            (FOLDER / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
        print(f"{name}: largest relative difference {largest_difference(golden(name), found):.1e}")


def largest_difference(kept: dict[str, list[float]], found: dict[str, list[float]]) -> float:
    """Of any value from the one that is kept, relative to it; infinite where one is missing."""
    if {k: len(v) for k, v in kept.items()} != {k: len(v) for k, v in found.items()}:
        return float("inf")
    pairs = [(a, b) for key in kept for a, b in zip(kept[key], found[key], strict=True)]
    return max(abs(a - b) / max(abs(a), 1e-12) for a, b in pairs)


if __name__ == "__main__":
    main()
