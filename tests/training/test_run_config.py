"""config.json: written whole, read back alike, refused where it is not one."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastpose.errors import UserError
from fastpose.recipes import override
from fastpose.skeletons import get_skeleton
from fastpose.training.run_config import CONFIG, RunConfig, find_run
from tests.training.small_run import make_clips, make_prior, small_recipe


def make_config(**changes: Any) -> RunConfig:
    recipe = small_recipe()
    config = RunConfig(
        recipe=recipe,
        requested=recipe,
        skeleton=get_skeleton("limbs12"),
        data=Path("clips"),
        prior=(Path("a.npz"), Path("b")),
        device="cpu",
        threads=2,
        processes=1,
    )
    return dataclasses.replace(config, **changes)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    config = make_config(requested=small_recipe("seed=7"))
    config.save(tmp_path)
    assert RunConfig.load(tmp_path) == config
    assert json.loads((tmp_path / CONFIG).read_text())["data"] == "clips"


def test_a_checkpoint_is_compared_by_recipe_and_skeleton_alone() -> None:
    here, there = make_config(), make_config(data=Path("moved"), threads=1, device="cuda")
    assert here.of_checkpoint() == there.of_checkpoint()
    other = make_config(recipe=small_recipe("model.width=3"))
    assert here.of_checkpoint() != other.of_checkpoint()


CHANGES: list[tuple[Callable[[dict], object], str]] = [
    (lambda c: c.update(format="other"), "is 'other' version 1, expected fastpose-run"),
    (lambda c: c.update(version=9), "version 9, expected"),
    (lambda c: c.pop("prior"), "is damaged"),
    (lambda c: c.update(threads="many"), "is damaged"),
    (lambda c: c.pop("processes"), "is damaged"),
    (lambda c: c.update(skeleton={}), "skeleton description"),
    (lambda c: c["recipe"].update(sede=1), "no field 'sede'; did you mean 'seed'"),
    (lambda c: c["recipe"]["model"].update(image_size=63), "model.image_size"),
]


@pytest.mark.parametrize(("change", "message"), CHANGES)
def test_a_configuration_that_is_none_is_refused(
    tmp_path: Path, change: Callable[[dict], object], message: str
) -> None:
    make_config().save(tmp_path)
    data = json.loads((tmp_path / CONFIG).read_text())
    change(data)
    (tmp_path / CONFIG).write_text(json.dumps(data))
    with pytest.raises(UserError, match=message):
        RunConfig.load(tmp_path)


def test_a_folder_without_one_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no run directory"):
        RunConfig.load(tmp_path)


def test_clips_of_another_size_are_refused_with_the_cure(tmp_path: Path) -> None:
    config = make_config(data=make_clips(tmp_path / "clips", size=32))
    with pytest.raises(UserError, match=r"32 x 32.*64 x 64; prepare them with --size 64"):
        config.open_clips()


def test_the_prior_draws_the_models_joints(tmp_path: Path) -> None:
    import numpy as np

    config = make_config(prior=(make_prior(tmp_path / "prior.npz"),))
    poses = config.open_prior(tmp_path).sample(3, np.random.default_rng(0))
    assert poses.shape == (3, 12, 2)


def test_a_fitted_prior_is_looked_for_in_the_run(tmp_path: Path) -> None:
    recipe = override(small_recipe(), ["prior.fit=prior_fit.npz", "prior.framing=fitted"])
    config = make_config(recipe=recipe, prior=(make_prior(tmp_path / "prior.npz"),))
    with pytest.raises(UserError, match=str(tmp_path / "run" / "prior_fit.npz")):
        config.open_prior(tmp_path / "run")


def test_a_run_is_found_from_its_checkpoints_and_from_nothing_else(tmp_path: Path) -> None:
    run = tmp_path / "run"
    checkpoint = run / "checkpoints" / "step_1"
    checkpoint.mkdir(parents=True)
    assert find_run(run) is None
    make_config().save(run)
    assert find_run(run) == run
    assert find_run(checkpoint) == find_run(run / "checkpoints") == run.resolve()
    (run / "model.onnx").touch()
    for other in (run / "model.onnx", run / "gone", tmp_path):
        assert find_run(other) is None
