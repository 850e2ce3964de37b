"""Checkpoints made by an enemy, or damaged: one line, nothing executed, nothing huge allocated."""

from __future__ import annotations

import hashlib
import io
import json
import os
import resource
import shutil
import zipfile
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler  # the attack, never the defence
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from fastpose.errors import UserError
from fastpose.files import canonical_json, sha256
from fastpose.recipes import build_model, recipe_to_dict
from fastpose.skeletons import get_skeleton
from fastpose.training.checkpoint import load_model, resume, save_checkpoint
from fastpose.training.checkpoint_folder import EMA, MANIFEST, STATE
from fastpose.training.state import TrainState
from tests.training.small_run import small_recipe


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One sound checkpoint of a small model."""
    recipe = small_recipe("ema_decay=0.5")
    skeleton = get_skeleton(recipe.skeleton)
    state = TrainState(build_model(recipe, skeleton), recipe.stages, ema_decay=0.5, seed=0)
    config = {"recipe": recipe_to_dict(recipe), "skeleton": skeleton.to_dict()}
    return save_checkpoint(state, tmp_path_factory.mktemp("good"), config)


def sign(folder: Path) -> None:
    """Make the manifest true of the files: an enemy can compute a hash as well."""
    path = folder / MANIFEST
    manifest = json.loads(path.read_text())
    for name, entry in manifest["files"].items():
        data = (folder / name).read_bytes()
        entry.update(bytes=len(data), sha256=sha256(data))
    state = json.loads((folder / STATE).read_text())
    manifest["config_hash"] = hashlib.sha256(canonical_json(state["config"])).hexdigest()
    path.write_text(json.dumps(manifest))


def replace_weights(folder: Path, data: bytes) -> None:
    (folder / EMA).write_bytes(data)
    sign(folder)


def edit_weights(folder: Path, edit: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = safetensors.torch.load_file(folder / EMA)
    edit(tensors)
    replace_weights(folder, safetensors.torch.save(tensors))


def edit_state(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    state = json.loads((folder / STATE).read_text())
    edit(state)
    (folder / STATE).write_bytes(canonical_json(state))
    sign(folder)


class Bomb:
    """Makes a folder when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("executed-by-unpickling",)


def pickled(folder: Path) -> None:
    replace_weights(folder, bytes(ForkingPickler.dumps(Bomb())))


def torch_archive(folder: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"w": Bomb()}, buffer)
    replace_weights(folder, buffer.getvalue())


def legacy_torch_archive(folder: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"w": Bomb()}, buffer, _use_new_zipfile_serialization=False)
    replace_weights(folder, buffer.getvalue())


def zip_bomb(folder: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data", bytes(50 << 20))
    replace_weights(folder, buffer.getvalue())


def huge_header(folder: Path) -> None:
    text = b'{"a":"' + b" " * (100 << 20) + b'"}'
    replace_weights(folder, len(text).to_bytes(8, "little") + text)


def header_longer_than_the_file(folder: Path) -> None:
    replace_weights(folder, (1 << 62).to_bytes(8, "little") + b"{}")


def with_header(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    data = (folder / EMA).read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    replace_weights(folder, len(text).to_bytes(8, "little") + text + data[8 + length :])


def overlapping(folder: Path) -> None:
    def change(header: dict[str, Any]) -> None:
        same = [k for k in header if k.endswith("running_mean")]
        header[same[1]]["data_offsets"] = header[same[0]]["data_offsets"]

    with_header(folder, change)


def offsets_beyond_the_file(folder: Path) -> None:
    def change(header: dict[str, Any]) -> None:
        last = max(header, key=lambda k: header[k]["data_offsets"][1])
        header[last]["data_offsets"][1] += 1 << 40

    with_header(folder, change)


def sparse_terabyte(folder: Path) -> None:
    size = 1 << 40
    os.truncate(folder / EMA, size)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][EMA]["bytes"] = size
    (folder / MANIFEST).write_text(json.dumps(manifest))


def path_in_names(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"]["../../outside"] = manifest["files"].pop(EMA)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def link_outside(folder: Path) -> None:
    moved = folder.parent / "elsewhere"
    (folder / EMA).rename(moved)
    (folder / EMA).symlink_to(moved)


def named_pipe(folder: Path) -> None:
    (folder / EMA).unlink()
    os.mkfifo(folder / EMA)


def manifest_of_a_hundred_megabytes(folder: Path) -> None:
    (folder / MANIFEST).write_bytes(b"[" * (100 << 20))


def nan_weights(folder: Path) -> None:
    edit_weights(folder, lambda t: t["regressor.encoder.head.weight"].fill_(float("nan")))


def infinite_statistics(folder: Path) -> None:
    def edit(tensors: dict[str, torch.Tensor]) -> None:
        name = next(k for k in tensors if k.endswith("running_var"))
        tensors[name][0] = float("inf")

    edit_weights(folder, edit)


def wrong_shape(folder: Path) -> None:
    def edit(tensors: dict[str, torch.Tensor]) -> None:
        name = next(k for k in tensors if k.endswith("weight"))
        tensors[name] = tensors[name][:1].clone()

    edit_weights(folder, edit)


def wrong_dtype(folder: Path) -> None:
    def edit(tensors: dict[str, torch.Tensor]) -> None:
        name = next(k for k in tensors if k.endswith("weight"))
        tensors[name] = tensors[name].to(torch.float16)

    edit_weights(folder, edit)


def missing_weight(folder: Path) -> None:
    edit_weights(folder, lambda t: t.pop(next(k for k in t if k.endswith("weight"))))


def enormous_model(folder: Path) -> None:
    edit_state(folder, lambda s: s["config"]["recipe"]["model"].update(width=1 << 40))


def large_model(folder: Path) -> None:
    edit_state(folder, lambda s: s["config"]["recipe"]["model"].update(width=20_000))


def enormous_pool(folder: Path) -> None:
    edit_state(folder, lambda s: s["config"]["recipe"]["model"].update(pool_size=1 << 45))


def another_skeleton(folder: Path) -> None:
    other = get_skeleton("coco17").to_dict()
    edit_state(folder, lambda s: s["config"].update(skeleton=other))


def limb_out_of_range(folder: Path) -> None:
    edit_state(folder, lambda s: s["config"]["skeleton"]["limbs"].append([0, 99]))


def unknown_field(folder: Path) -> None:
    edit_state(folder, lambda s: s["config"]["recipe"].update(command="rm -rf /"))


def configuration_of_words(folder: Path) -> None:
    edit_state(folder, lambda s: s.update(config={"recipe": "keypointgan"}))


def state_of_another_step(folder: Path) -> None:
    edit_state(folder, lambda s: s.update(step=7))


def truncated_weights(folder: Path) -> None:
    os.truncate(folder / EMA, 1000)


def flipped_bit(folder: Path) -> None:
    data = bytearray((folder / EMA).read_bytes())
    data[-100] ^= 4
    (folder / EMA).write_bytes(data)


def empty_weights(folder: Path) -> None:
    replace_weights(folder, b"")


def deep_json(folder: Path) -> None:
    data = b'{"step":' + b"[" * 500_000
    (folder / STATE).write_bytes(data)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][STATE] = {"bytes": len(data), "sha256": sha256(data)}
    (folder / MANIFEST).write_text(json.dumps(manifest))


ATTACKS = [
    (pickled, "no safetensors file"),
    (torch_archive, "no safetensors file"),
    (legacy_torch_archive, "no safetensors file"),
    (zip_bomb, "no safetensors file"),
    (huge_header, "header too large"),
    (header_longer_than_the_file, "header too large"),
    (overlapping, "no valid safetensors file"),
    (offsets_beyond_the_file, "no valid safetensors file"),
    (sparse_terabyte, "at most"),
    (path_in_names, "files must be"),
    (link_outside, "not a plain file"),
    (named_pipe, "not a plain file"),
    (manifest_of_a_hundred_megabytes, "at most"),
    (nan_weights, "holds NaN"),
    (infinite_statistics, "holds NaN or infinity"),
    (wrong_shape, "should be F32"),
    (wrong_dtype, "should be F32"),
    (missing_weight, "has no tensor"),
    (enormous_model, r"describes no model|should be F32"),
    (large_model, "should be F32"),
    (enormous_pool, r"describes no model|should be F32"),
    (another_skeleton, "should be F32"),
    (limb_out_of_range, "joint outside"),
    (unknown_field, "no field 'command'"),
    (configuration_of_words, "has no"),
    (state_of_another_step, "is of step 7"),
    (truncated_weights, "has 1000 bytes"),
    (flipped_bit, "SHA-256 differs"),
    (empty_weights, "no safetensors file"),
    (deep_json, "JSON"),
]


@pytest.fixture
def bounded_memory():
    """No more than 2 GiB beyond what the process has: an attack that allocates fails."""
    with open("/proc/self/statm") as file:
        have = int(file.read().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (have + (2 << 30), limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


@pytest.mark.parametrize(("attack", "message"), ATTACKS, ids=lambda a: getattr(a, "__name__", ""))
def test_a_hostile_checkpoint_is_refused_in_one_line(
    good: Path,
    tmp_path: Path,
    attack: Callable[[Path], None],
    message: str,
    monkeypatch,
    bounded_memory: None,
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / good.name
    shutil.copytree(good, folder)
    attack(folder)
    with pytest.raises(UserError, match=message) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500
    assert not (tmp_path / "executed-by-unpickling").exists()


def test_the_bomb_would_have_worked(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    ForkingPickler.loads(ForkingPickler.dumps(Bomb()))
    assert (tmp_path / "executed-by-unpickling").exists()


def test_the_sound_checkpoint_loads(good: Path, tmp_path: Path) -> None:
    shutil.copytree(good, tmp_path / good.name)
    sign(tmp_path / good.name)
    load_model(tmp_path / good.name)


RESUMED: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda s: s["rng"].pop("frames"), "random generator 'frames'"),
    (lambda s: s["rng"].update(poses={"bit_generator": "MT19937"}), "random generator 'poses'"),
    (lambda s: s["rng"].update(torch="zz"), "no text of hex digits"),
    (lambda s: s["rng"].update(torch="00ff"), "a random state, time or count is invalid"),
    (lambda s: s["rng"].update(torch=5), "no text of hex digits"),
    (lambda s: s.update(metrics=[["a", None, 1]]), "metric sums"),
    (lambda s: s.update(skipped=[1]), "time or count is invalid"),
    (lambda s: s.pop("skipped"), "'skipped' is missing or not of type list"),
    (lambda s: s.update(timing={"train_seconds": "long"}), "time or count is invalid"),
    (lambda s: s["config"]["recipe"].update(seed=9), "another recipe"),
]


@pytest.mark.parametrize(("edit", "message"), RESUMED)
def test_a_hostile_state_is_not_resumed(
    good: Path, tmp_path: Path, edit: Callable[[dict[str, Any]], object], message: str
) -> None:
    folder = tmp_path / good.name
    shutil.copytree(good, folder)
    config = json.loads((good / STATE).read_text())["config"]
    edit_state(folder, edit)
    recipe = small_recipe("ema_decay=0.5")
    model = build_model(recipe, get_skeleton(recipe.skeleton))
    state = TrainState(model, recipe.stages, ema_decay=0.5, seed=0)
    with pytest.raises(UserError, match=message):
        resume(state, tmp_path, config, report=lambda m: None)
