"""The plain formulation of shape templates is the same function as ours, and both are timed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.training.shape_templates import SAME, Bench, differences, main


def test_losses_and_gradients_are_the_same() -> None:
    found = differences(Bench(64, 4, 3))
    assert set(found) == {"features", "anchor", "boundary", "gradient"}
    assert max(found.values()) < SAME


@pytest.mark.timeout(240)
def test_every_row_is_timed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "r.json"
    arguments = ["--size", "64", "--width", "2", "--batch", "2", "--rounds", "1"]
    assert main([*arguments, "--out", str(out)]) == 0
    report = json.loads(out.read_text())
    assert report["same"] and len(report["rungs"]) == 5
    assert report["rungs"][0]["times_faster"]["wall"]["of_minima"] == 1.0
    assert "plain PyTorch" in capsys.readouterr().out
