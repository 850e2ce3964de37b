"""Runs of two processes: the losses of one, exact resuming, one writer, no other number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.robustness.children import start as start_process
from tests.training.ranks import ended, start_ranks, train_small
from tests.training.small_run import make_clips, make_prior

pytestmark = pytest.mark.timeout(240)
# Four steps of the first stage and twelve of the adversarial one, a batch of four in all.
PAIRS = (
    "stages.main.steps=12",
    "stages.main.batch_size=4",
    "stages.pretrain.batch_size=4",
    "precision=float32",
    "ema_decay=0.9",
    "log_every=1",
    "sheet_every=0",
    "model.motion_weight=1",
    "augmentation.flip=true",
    "augmentation.scale=0.1",
)


def prepared(folder: Path) -> Path:
    folder.mkdir()
    make_clips(folder / "clips")
    make_prior(folder / "prior.npz")
    return folder


def alone(folder: Path, *pairs: str, **options: Any) -> list[dict[str, Any]]:
    """What one process logs of PAIRS."""
    process = start_process(train_small, prepared(folder), (*PAIRS, *pairs), options)
    assert ended([process]) == [0], (folder / "said_0").read_text()
    return logged(folder)


def together(folder: Path, *pairs: str, **options: Any) -> list[dict[str, Any]]:
    """What two processes log of PAIRS."""
    if not folder.exists():
        prepared(folder)
    ranks = start_ranks(train_small, folder, (*PAIRS, *pairs), options)
    assert ended(ranks) == [0, 0], (folder / "said_0").read_text()
    return logged(folder)


def logged(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "run/metrics.jsonl").read_text().splitlines()]


def worst(one: list[dict[str, Any]], two: list[dict[str, Any]]) -> list[float]:
    """The largest relative difference of each step's losses."""
    assert len(one) == len(two) == 16 and [a.keys() for a in one] == [b.keys() for b in two]
    return [
        max(abs(a[k] - b[k]) / max(abs(a[k]), 1e-9) for k in a if k.count("/") == 1)
        for a, b in zip(one, two, strict=True)
    ]


def test_two_processes_train_the_losses_of_one(tmp_path: Path) -> None:
    one, two = alone(tmp_path / "a", double=True), together(tmp_path / "b", double=True)
    differences = worst(one, two)
    assert max(differences[:5]) < 1e-11  # up to the first adversarial step: rounding alone
    assert max(differences) < 1e-6, differences  # which the eleven steps after it enlarge
    # Everything else of the last checkpoint too: weights, averages, running means, pool.
    for name in ("model", "ema"):
        a, b = (
            load_file(tmp_path / run / f"run/checkpoints/step_000004/{name}.safetensors")
            for run in "ab"
        )
        for key, tensor in a.items():
            torch.testing.assert_close(b[key], tensor, rtol=1e-8, atol=1e-10)
    assert json.loads((tmp_path / "b/run/config.json").read_text())["processes"] == 2
    names = [sorted(p.name for p in (tmp_path / run / "run").iterdir()) for run in "ab"]
    assert names[0] == names[1]
    assert (tmp_path / "b/said_1").read_text() == ""


def test_two_processes_resume_exactly_and_no_other_number_does(tmp_path: Path) -> None:
    # Normalised locally, so that the statistics too must be brought together.
    local = ("batch_norm=local",)
    straight = together(tmp_path / "a", *local)
    for steps in (2, 9, 16):
        pieces = together(tmp_path / "b", *local, steps=steps, resume=True)
    assert pieces == straight
    for name in ("model", "ema"):
        a, b = (
            load_file(tmp_path / run / f"run/checkpoints/step_000016/{name}.safetensors")
            for run in "ab"
        )
        assert a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
    before = (tmp_path / "b/run/metrics.jsonl").read_bytes()
    process = start_process(train_small, tmp_path / "b", (*PAIRS, *local), {"resume": True})
    assert ended([process]) == [3]
    said = (tmp_path / "b/said_0").read_text()
    assert "was started with 2 processes, not 1 process; resume it with torchrun" in said
    assert (tmp_path / "b/run/metrics.jsonl").read_bytes() == before
