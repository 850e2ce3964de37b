"""The ladder of a training step: both ends compute the same, and every rung takes a step."""

from __future__ import annotations

import math

import pytest
import torch

from benchmarks.training.ladder import Ladder, compare, main, measure, table
from fastpose.recipes import Recipe, get_recipe, override

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    smaller = ["model.width=2", "model.discriminator_width=2", "model.pool_size=3"]
    return override(get_recipe("keypointgan"), smaller)


@pytest.mark.timeout(240)
def test_both_ends_compute_the_same_losses(recipe: Recipe) -> None:
    found = compare(recipe, 1, CPU, 2)
    assert found["same"] and found["largest_difference_at_a_tenth_of_the_rate"] < 1e-9
    assert found["steps_that_agree_at_the_full_rate"] == 2
    assert all(math.isfinite(value) for value in found["differences_at_the_full_rate"])


@pytest.mark.timeout(240)
def test_every_rung_is_measured(recipe: Recipe) -> None:
    ladder = Ladder(recipe, 1, CPU)
    rows = measure(ladder, 1)
    assert [row["rung"] for row in rows] == list(ladder.rungs())
    assert rows[0]["rung"] == "plain PyTorch"
    assert rows[0]["times_faster"]["wall"]["of_minima"] == 1.0
    losses = {"steps": 4, "same": False, "largest_difference_at_a_tenth_of_the_rate": 0.5,
              "steps_that_agree_at_the_full_rate": 1}  # fmt: skip
    report = {"recipe": "r", "batch": 2, "image_size": 64, "threads": 1, "losses": losses}
    lines = table({**report, "rungs": rows}).splitlines()
    assert len(lines) == len(rows) + 2
    assert "5.0e-01: more than 0.001" in lines[1]


def test_a_difference_would_be_seen(recipe: Recipe, monkeypatch) -> None:
    from benchmarks.training import ladder

    ours = ladder.Ladder.ours

    def wrong(self: Ladder, precision: str, cuda_graph: str = "off") -> ladder.Step:
        step = ours(self, precision, cuda_graph)
        return lambda batch: {k: v * 1.01 for k, v in step(batch).items()}

    monkeypatch.setattr(ladder.Ladder, "ours", wrong)
    assert not compare(recipe, 1, CPU, 1)["same"]


def test_recipes_whose_loss_is_weighted_are_refused(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        main(["--recipe", "keypointgan-demo"])
    assert "its loss is weighted" in capsys.readouterr().err
