"""`fastpose view` as a user runs it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastpose.cli import main
from fastpose.data import prior_fit
from fastpose.data.prior_table import FittedTable
from fastpose.media.images import read_image
from tests.data.bodies import bowing, waving, write_clips, write_npz


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    write_clips(tmp_path / "clips", [waving(12), bowing(8)])
    poses = write_npz(tmp_path / "poses.npz", [waving(), bowing()])
    data, out = str(tmp_path / "clips"), str(tmp_path / "sheet.png")
    return ["view", "prior", "--data", data, "--prior", str(poses), "--out", out]


def test_a_prior_beside_its_clips(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--set", "prior.height=0.8", "prior.top=0.2"]) == 0
    text = capsys.readouterr().out
    assert "mean silhouettes agree" in text and "cut below" in text and "sheet.png" in text
    assert read_image(tmp_path / "sheet.png").shape[1] > 1000
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clips", "poses.npz", "sheet.png"]


def test_fitting_writes_a_table_that_can_be_drawn_from(
    tmp_path: Path,
    arguments: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quick = prior_fit.FitOptions(poses=100, frames_per_clip=6, yaw_step=30.0)
    monkeypatch.setattr(prior_fit, "FitOptions", lambda: quick)
    assert main([*arguments, "--fit"]) == 0
    table = tmp_path / "sheet.npz"
    assert str(table) in capsys.readouterr().out.replace("\n", "")
    assert FittedTable.load(table).weight.sum() == pytest.approx(1.0)
    first = read_image(tmp_path / "sheet.png")
    assert main([*arguments, "--table", str(table)]) == 0
    np.testing.assert_array_equal(read_image(tmp_path / "sheet.png"), first)


def test_clips(tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "clips.png"
    flags = ["--out", str(out), "--clips", "2", "--columns", "5"]
    assert main(["view", "clips", str(tmp_path / "clips"), *flags]) == 0
    assert "2 clips, 20 frames" in capsys.readouterr().out
    assert read_image(out).shape[1] >= 5 * 112


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"--data": "nowhere"}, "no such folder"),
        ({"--prior": "none.npz"}, "none.npz: no such file"),
        ({"--out": "sheet.txt"}, "ending in .png"),
        ({"--table": "none.npz"}, "none.npz: no such file"),
        ({"--set": "prior.heihgt=1"}, "did you mean"),
        ({"--recipe": "keypointgun"}, "did you mean 'keypointgan'"),
        ({"--set": 'prior.actions=["swim"]'}, "none of the 2 recordings"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str], change: dict[str, str], named: str
) -> None:
    for flag, value in change.items():
        if flag in arguments:
            arguments[arguments.index(flag) + 1] = value
        else:
            arguments += [flag, value]
    assert main(arguments) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("fastpose: error: ") and named in error and "\n" not in error


def test_clips_that_are_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["view", "clips", str(tmp_path), "--out", str(tmp_path / "a.png")]) == 2
    assert "is empty" in capsys.readouterr().err
