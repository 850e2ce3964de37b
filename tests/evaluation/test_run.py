"""Where the baselines' poses come from, and which of a run's settings hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from fastpose.data.pose_prior import PosePrior, PriorConfig
from fastpose.errors import UserError
from fastpose.evaluation import run as evaluation
from fastpose.recipes import get_recipe
from fastpose.skeletons import get_skeleton
from fastpose.training.run_config import RunConfig


class _Opened:
    """What ``PosePrior.from_path`` was asked for."""

    def __init__(self, paths, skeleton, config) -> None:
        self.paths, self.config = [Path(p).name for p in paths], config


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PosePrior, "from_path", _Opened)


@pytest.fixture
def fitted_run(tmp_path: Path) -> Path:
    """The configuration of a run whose prior was fitted to its clips."""
    recipe = get_recipe("keypointgan")
    fitted = PriorConfig(framing="fitted", fit="prior_fit.npz", fit_share=0.7, max_tilt=50.0)
    config = RunConfig(
        replace(recipe, prior=fitted),
        recipe,
        get_skeleton(recipe.skeleton),
        tmp_path / "clips",
        (tmp_path / "trained.npz",),
        "cpu",
        1,
        1,
    )
    folder = tmp_path / "run"
    folder.mkdir()
    config.save(folder)
    return folder


def _open(model: Path, prior: list[str], fit: str | None) -> _Opened:
    return cast(_Opened, evaluation._open_prior(model, prior, fit, get_skeleton("limbs12")))


def test_a_run_keeps_its_framing_whatever_poses_are_named(fitted_run) -> None:
    trained = _open(fitted_run, [], None)
    assert trained.paths == ["trained.npz"]
    assert trained.config.framing == "fitted" and trained.config.max_tilt == 50.0
    assert trained.config.fit == str(fitted_run / "prior_fit.npz")
    other = _open(fitted_run, ["other.npz"], None)
    assert other.paths == ["other.npz"] and other.config == trained.config


def test_a_table_takes_the_place_of_the_runs(fitted_run) -> None:
    trained = _open(fitted_run, [], None)
    # a table of that name in the working directory is not the one of the run
    other = _open(fitted_run, [], "prior_fit.npz")
    assert other.paths == ["trained.npz"]
    assert other.config.fit == str(Path.cwd() / "prior_fit.npz")
    assert replace(other.config, fit=trained.config.fit) == trained.config


def test_an_exported_model_takes_the_default_framing(tmp_path) -> None:
    model = tmp_path / "model.onnx"
    assert _open(model, ["a.npz", "b.npz"], None).config == PriorConfig()
    fitted = _open(model, ["a.npz"], "table.npz").config
    assert (fitted.framing, fitted.fit) == ("fitted", "table.npz")
    with pytest.raises(UserError, match=r"model.onnx: is no run, .*--prior"):
        _open(model, [], None)
    with pytest.raises(UserError, match=r"--prior"):
        _open(model, [], "table.npz")
