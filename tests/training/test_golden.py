"""Fifty steps of each recipe give the losses that were kept; see ``golden.py``."""

from __future__ import annotations

import pytest

from fastpose.recipes import RECIPES
from tests.training.double import double_precision
from tests.training.golden import (
    FOLDER,
    STEPS,
    UNSTABLE,
    curves,
    golden,
    largest_difference,
    steps,
)

TOLERANCE = 1e-6
# In float32 rounding shows, and grows as the adversaries answer each other.
FLOAT32_ALONE, FLOAT32_ADVERSARIAL = 1e-4, 5e-2


def test_every_recipe_has_its_losses_and_no_other() -> None:
    assert sorted(p.stem for p in FOLDER.iterdir()) == sorted(RECIPES)
    for name, recipe in RECIPES.items():
        stages = [stage for stage in recipe.stages if STEPS[stage.name]]
        lengths = {p.name: steps(name, stage.name) for stage in stages for p in stage.phases}
        assert {key.split("/")[0]: len(values) for key, values in golden(name).items()} == lengths
        done = sum(steps(name, stage.name) for stage in stages)
        assert done in (40, 50) or done == UNSTABLE[name]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", RECIPES)
def test_the_losses_are_those_that_were_kept(name: str) -> None:
    with double_precision():
        assert largest_difference(golden(name), curves(name)) < TOLERANCE


def test_float32_begins_alike() -> None:
    kept, steps = golden("keypointgan"), STEPS["pretrain"] + 1
    found = curves("keypointgan", steps)
    kept = {key: values[: len(found[key])] for key, values in kept.items()}
    alone = [{k: v for k, v in c.items() if k.startswith("pretrain")} for c in (kept, found)]
    assert largest_difference(*alone) < FLOAT32_ALONE
    assert largest_difference(kept, found) < FLOAT32_ADVERSARIAL


def test_a_difference_is_seen() -> None:
    kept = {"a/b": [1.0, 2.0], "a/c": [0.0]}
    assert largest_difference(kept, kept) == 0.0
    assert largest_difference(kept, {"a/b": [1.0, 2.002], "a/c": [0.0]}) == pytest.approx(1e-3)
    assert largest_difference(kept, {"a/b": [1.0], "a/c": [0.0]}) == float("inf")
    assert largest_difference(kept, {"a/b": [1.0, 2.0]}) == float("inf")
