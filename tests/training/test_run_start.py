"""Which run is meant, and what is in its way."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from fastpose.data.clips import ClipStore
from fastpose.data.pose_prior import PosePrior
from fastpose.errors import UserError
from fastpose.recipes import get_recipe, override
from fastpose.training import run_start
from fastpose.training.batches import Sources
from fastpose.training.run_config import PRIOR_FIT, RunConfig
from fastpose.training.run_start import Opened, configure, fit_to_clips, remove_run
from tests.training.small_run import make_clips, make_prior, small_recipe


def ask(run: Path, recipe: Any = "small", **changes: Any) -> RunConfig:
    options: dict[str, Any] = {
        "data": "clips",
        "prior": ["prior.npz"],
        "resume": False,
        "overwrite": False,
        "device": torch.device("cpu"),
        "threads": 1,
        "processes": 1,
        **changes,
    }
    data, prior = options.pop("data"), options.pop("prior")
    recipe = small_recipe() if recipe == "small" else recipe
    return configure(recipe, data, prior, run, **options)


def test_a_new_run_gets_absolute_paths_and_writes_nothing(tmp_path: Path) -> None:
    config = ask(tmp_path / "run", small_recipe("model.feature_weights=net.pth"))
    assert config.data == Path("clips").absolute()
    assert config.prior == (Path("prior.npz").absolute(),)
    assert config.recipe.model.feature_weights == str(Path("net.pth").absolute())
    assert config.recipe == config.requested and config.skeleton.name == "limbs12"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": None}, "no run to resume; to start one, give a recipe"),
        ({"data": None}, "give --data"),
        ({"prior": []}, "give --prior"),
        ({"resume": True, "overwrite": True}, "contradict each other"),
        ({"threads": 0}, "threads: must be 1 or more"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        ask(tmp_path / "run", **changes)


def test_what_is_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="is a file"):
        ask(tmp_path / "file")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("x")
    for overwrite in (False, True):
        with pytest.raises(UserError, match=r"holds other files \(letter.txt\)"):
            ask(tmp_path / "mine", overwrite=overwrite)
    ask(tmp_path / "run").save(make(tmp_path / "run"))
    with pytest.raises(UserError, match="--resume, delete it with --overwrite"):
        ask(tmp_path / "run")
    ask(tmp_path / "run", overwrite=True)


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_what_a_killed_start_left_is_not_in_the_way(tmp_path: Path) -> None:
    run = make(tmp_path / "run")
    for name in ("lock", PRIOR_FIT, f".{PRIOR_FIT}.tmp-1"):
        (run / name).write_text("x")
    ask(run)
    ask(run, resume=True)


def test_a_resumed_run_keeps_its_recipe_and_may_move_its_data(tmp_path: Path) -> None:
    run = make(tmp_path / "run")
    ask(run, threads=3).save(run)
    kept = ask(run, None, data=None, prior=[], threads=None, resume=True)
    assert kept.recipe == small_recipe() and kept.threads == 3
    moved = ask(run, data="/new/clips", prior=["/new/p"], threads=2, resume=True)
    assert (moved.data, moved.prior, moved.threads) == (Path("/new/clips"), (Path("/new/p"),), 2)
    # The bare name of the recipe means: the run's.
    assert ask(run, get_recipe("keypointgan"), resume=True).recipe == small_recipe()


def test_a_resumed_run_refuses_another_recipe(tmp_path: Path) -> None:
    run = make(tmp_path / "run")
    ask(run).save(run)
    with pytest.raises(UserError, match=r"another recipe \(model.width is '2' there and '4' here"):
        ask(run, small_recipe("model.width=4"), resume=True)
    with pytest.raises(UserError, match="the recipe 'keypointgan', not 'keypointgan-demo'"):
        ask(run, get_recipe("keypointgan-demo"), resume=True)


@pytest.mark.parametrize(
    ("before", "now", "message"),
    [
        (1, 2, "was started with 1 process, not 2 processes; resume it with fastpose train, or"),
        (4, 2, "4 processes, not 2 processes; resume it with torchrun --nproc-per-node 4 -m "),
        (2, 1, "was started with 2 processes, not 1 process; resume it with torchrun"),
    ],
)
def test_a_resumed_run_needs_as_many_processes(
    tmp_path: Path, before: int, now: int, message: str
) -> None:
    run = make(tmp_path / "run")
    ask(run, processes=before).save(run)
    with pytest.raises(UserError, match=message):
        ask(run, None, processes=now, resume=True)
    assert ask(run, None, processes=before, resume=True).processes == before


def test_only_what_a_run_wrote_is_removed(tmp_path: Path) -> None:
    run = make(tmp_path / "run")
    for name in ("config.json", "metrics.jsonl", "notes.txt", "lock"):
        (run / name).write_text("x")
    (run / "checkpoints/step_000001").mkdir(parents=True)
    outside = make(tmp_path / "outside")
    (outside / "precious").write_text("x")
    (run / "sheets").symlink_to(outside)
    remove_run(run)
    assert sorted(p.name for p in run.iterdir()) == ["lock", "notes.txt"]
    assert (outside / "precious").exists()


def opened(tmp_path: Path, config: RunConfig) -> Opened:
    prior = PosePrior.from_path(make_prior(tmp_path / "prior.npz"), config.skeleton)
    clips = ClipStore.open(make_clips(tmp_path / "clips"))
    return Opened(config, None, clips, prior, Sources(poses=prior))  # type: ignore[arg-type]


def test_a_fit_is_kept_in_the_run_and_named_within_it(tmp_path: Path, monkeypatch) -> None:
    config, run = ask(tmp_path / "run"), make(tmp_path / "run")
    found = opened(tmp_path, config)
    asked = []

    class Fit:
        config = dataclasses.replace(found.poses.config, framing="standing", height=0.5, fit="x")

    def fake(prior: PosePrior, clips: ClipStore, path: Path, *, seed: int) -> Fit:
        asked.append((path, seed))
        path.write_bytes(b"table")
        return Fit()

    monkeypatch.setattr(run_start, "fit_prior", fake)
    after = fit_to_clips(found, run, wanted=True)
    fitted, poses = after.config, after.poses
    assert asked == [(run / PRIOR_FIT, 0)]
    assert fitted.recipe.prior.fit == PRIOR_FIT and fitted.recipe.prior.height == 0.5
    assert fitted.requested == config.requested
    assert poses.config.fit == str(run / PRIOR_FIT) and poses.bank is found.poses.bank


def test_a_table_that_the_recipe_names_is_copied(tmp_path: Path) -> None:
    (tmp_path / "table.npz").write_bytes(b"table")
    recipe = override(small_recipe(), [f"prior.fit={tmp_path / 'table.npz'}"])
    config, run = ask(tmp_path / "run", recipe), make(tmp_path / "run")
    found = opened(tmp_path, config)
    copied = fit_to_clips(found, run, wanted=False).config
    assert (run / PRIOR_FIT).read_bytes() == b"table"
    assert copied.recipe.prior.fit == PRIOR_FIT
    plain = dataclasses.replace(found, config=ask(tmp_path / "other"))
    assert fit_to_clips(plain, run, wanted=False) is plain
