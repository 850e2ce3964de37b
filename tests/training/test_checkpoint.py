"""States and models to and from checkpoints: nothing is lost, nothing foreign is taken."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from fastpose.errors import UserError
from fastpose.models.base import PoseModel
from fastpose.recipes import build_model, get_recipe, override, recipe_to_dict
from fastpose.skeletons import get_skeleton
from fastpose.templates import load_template, names
from fastpose.training import checkpoint as module
from fastpose.training.checkpoint import (
    checkpoint_bytes,
    describe,
    difference,
    find_checkpoint,
    load_detector,
    load_model,
    restore_checkpoint,
    resume,
    save_checkpoint,
)
from fastpose.training.state import TrainState
from tests.training.small_run import small_recipe
from tests.training.tiny import CONFIG, all_tensors, differing, make_state, tiny_run


def folder_size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.iterdir())


def test_a_restored_state_is_the_saved_one_bit_for_bit(tmp_path: Path) -> None:
    saved = tiny_run(tmp_path, stop=25)
    torch_state = torch.get_rng_state()
    other = make_state(seed=5)
    timing = restore_checkpoint(other, tmp_path / "checkpoints/step_000025", CONFIG)
    assert differing(saved, other) == [] and other.step == 25 and timing == {}
    assert other.rng_states == saved.rng_states
    assert other.metrics.to_list() == saved.metrics.to_list() != []
    assert torch.equal(torch.get_rng_state(), torch_state)
    for name, tensor in all_tensors(saved).items():
        assert all_tensors(other)[name].stride() == tensor.stride(), name


def test_the_size_told_beforehand_is_enough(tmp_path: Path) -> None:
    state = tiny_run(tmp_path, stop=25)
    assert folder_size(tmp_path / "checkpoints/step_000025") <= checkpoint_bytes(state)


def test_the_last_ones_and_the_ends_of_stages_are_kept(tmp_path: Path) -> None:
    tiny_run(tmp_path, stop=46, checkpoint_every=5, keep=2)
    names = sorted(p.name for p in (tmp_path / "checkpoints").iterdir())
    assert names == ["step_000007", "step_000045", "step_000046"]


def test_older_ones_stay_where_the_new_one_does_not_verify(tmp_path: Path, monkeypatch) -> None:
    state = tiny_run(tmp_path, stop=20, keep=1)
    before = sorted(p.name for p in (tmp_path / "checkpoints").iterdir())

    def refuse(folder: Path) -> None:
        raise UserError("damaged by the disk")

    monkeypatch.setattr(module, "_verify", refuse)
    state.step = 21
    with pytest.raises(UserError, match="damaged by the disk"):
        save_checkpoint(state, tmp_path / "checkpoints", CONFIG, keep=1)
    assert set(before) <= {p.name for p in (tmp_path / "checkpoints").iterdir()}


def test_damaged_ones_are_passed_over_and_named(tmp_path: Path) -> None:
    tiny_run(tmp_path, stop=40)
    checkpoints = tmp_path / "checkpoints"
    (checkpoints / "step_000040/manifest.json").unlink()
    weights = checkpoints / "step_000030/optimizer.safetensors"
    weights.write_bytes(weights.read_bytes()[:-5])
    said: list[str] = []
    state = make_state(seed=9)
    resume(state, checkpoints, CONFIG, report=said.append)
    assert state.step == 20
    assert said[0].startswith("passed over step_000040") and "manifest.json: is missing" in said[0]
    assert said[1].startswith("passed over step_000030") and "bytes, its manifest says" in said[1]
    assert find_checkpoint(tmp_path, report=said.append).name == "step_000020"


def test_with_all_of_them_damaged_the_newest_ones_reason_is_given(tmp_path: Path) -> None:
    tiny_run(tmp_path, stop=12)
    for folder in (tmp_path / "checkpoints").iterdir():
        (folder / "ema.safetensors").unlink()
    with pytest.raises(UserError, match=r"no checkpoint can be resumed.*step_000012/ema"):
        resume(make_state(), tmp_path / "checkpoints", CONFIG, report=lambda m: None)
    with pytest.raises(UserError, match="none of its 3 checkpoints is complete"):
        find_checkpoint(tmp_path, report=lambda m: None)


def test_without_any_there_is_nothing_to_resume(tmp_path: Path) -> None:
    assert resume(make_state(), tmp_path / "checkpoints", CONFIG) is None


def test_another_recipe_is_refused_with_the_field(tmp_path: Path) -> None:
    tiny_run(tmp_path, stop=3)
    config = {**CONFIG, "recipe": {"name": "tiny", "width": 6}}
    with pytest.raises(UserError, match=r"another recipe \(recipe.width is '4' there and '6'"):
        restore_checkpoint(make_state(), tmp_path / "checkpoints/step_000003", config)


def test_a_recipe_of_before_it_had_a_field_is_the_same_recipe(tmp_path: Path) -> None:
    """A field at its default describes what was done when there was none."""
    new = {**CONFIG, "recipe": recipe_to_dict(small_recipe())}
    old = {**CONFIG, "recipe": {k: v for k, v in new["recipe"].items() if k != "cuda_graph"}}
    folder = save_checkpoint(make_state(), tmp_path, old)
    restore_checkpoint(make_state(), folder, new)
    for pair, message in (
        ("cuda_graph=off", "cuda_graph is 'auto' there"),
        ("seed=5", "seed is '0'"),
    ):
        other = {**CONFIG, "recipe": recipe_to_dict(small_recipe(pair))}
        with pytest.raises(UserError, match=f"another recipe .recipe.{message}"):
            restore_checkpoint(make_state(), folder, other)


def test_another_models_weights_are_refused_and_change_nothing(tmp_path: Path) -> None:
    tiny_run(tmp_path, stop=3)
    wide = make_state(width=6)
    before = {name: tensor.clone() for name, tensor in all_tensors(wide).items()}
    with pytest.raises(UserError, match=r"'encoder.0.weight' should be F32 \(6, 3, 3, 3\)"):
        restore_checkpoint(wide, tmp_path / "checkpoints/step_000003", CONFIG)
    assert wide.step == 0
    assert all(torch.equal(t, before[n]) for n, t in all_tensors(wide).items())


def test_differences_are_named_by_their_path() -> None:
    a = {"model": {"width": 1, "sizes": [1, 2]}, "x": None}
    assert difference(a, {**a, "x": 3}) == "x is 'None' there and '3' here"
    b = {"model": {"width": 1, "sizes": [1, 4]}, "x": None}
    assert difference(a, b) == "model.sizes[1] is '2' there and '4' here"
    assert difference([1], [1, 2]) == "all is '[1]' there and '[1, 2]' here"


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with one checkpoint of a small KeypointGAN."""
    recipe = small_recipe("ema_decay=0.5")
    skeleton = get_skeleton(recipe.skeleton)
    torch.manual_seed(0)
    model = build_model(recipe, skeleton)
    state = TrainState(model, recipe.stages, ema_decay=0.5, seed=0)
    with torch.no_grad():
        for parameter in state.model.parameters():
            parameter.add_(0.1)
    config = {"recipe": recipe_to_dict(recipe), "skeleton": skeleton.to_dict()}
    run = tmp_path_factory.mktemp("run")
    save_checkpoint(state, run / "checkpoints", config)
    return run


def test_a_model_is_loaded_from_a_run_or_a_checkpoint(saved_model: Path) -> None:
    average = load_model(saved_model)
    raw = load_model(saved_model / "checkpoints/step_000000", ema=False)
    assert not average.training and not any(p.requires_grad for p in average.parameters())
    pairs = zip(average.parameters(), raw.parameters(), strict=True)
    assert all(torch.allclose(a + 0.1, b) for a, b in pairs)
    poses = average.predict(np.zeros((2, 64, 64, 3), np.uint8))
    assert poses.points.shape == (2, 12, 2)
    assert average.skeleton.name == "limbs12" and average.perceptual is None


@pytest.mark.parametrize("template", names())
def test_a_model_of_a_template_has_its_joints_in_their_order(template: str, tmp_path: Path) -> None:
    widths = ("model.regressor_width=2", "model.translator_width=2")
    recipe = override(get_recipe("shape-templates"), [f"model.template={template}", *widths])
    skeleton = load_template(template).skeleton
    torch.manual_seed(0)
    with pytest.warns(UserWarning, match="no feature weights"):
        model = build_model(recipe, skeleton)
    state = TrainState(model, recipe.stages, ema_decay=0.5, seed=0)
    config = {"recipe": recipe_to_dict(recipe), "skeleton": skeleton.to_dict()}
    save_checkpoint(state, tmp_path, config)
    loaded = load_detector(tmp_path / "step_000000")
    assert loaded.skeleton == skeleton
    pictures = np.zeros((1, 64, 64, 3), np.uint8)
    assert isinstance(model, PoseModel)
    model.eval()
    expected = model.predict(pictures)
    assert np.array_equal(loaded.predict(pictures).points, expected.points)


def test_a_checkpoint_describes_itself(saved_model: Path) -> None:
    info = describe(saved_model)
    manifest = json.loads((info.folder / "manifest.json").read_text())
    assert info.step == 0 and info.stage == "pretrain"
    assert info.config["recipe"]["model"]["width"] == 2
    assert info.sha256 == manifest["files"]["ema.safetensors"]["sha256"]
    raw = describe(saved_model, ema=False).sha256
    assert raw == manifest["files"]["model.safetensors"]["sha256"] != info.sha256


@pytest.mark.parametrize("kind", ["missing", "file", "empty"])
def test_a_path_without_checkpoints_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    if kind == "file":
        path.write_text("hello")
    elif kind == "empty":
        path.mkdir()
    with pytest.raises(UserError, match=r"no such folder|holds no checkpoint"):
        load_model(path)


def test_a_checkpoint_may_be_moved_and_renamed(saved_model: Path, tmp_path: Path) -> None:
    shutil.copytree(saved_model / "checkpoints/step_000000", tmp_path / "best")
    assert describe(tmp_path / "best").step == 0
    load_model(tmp_path / "best")
