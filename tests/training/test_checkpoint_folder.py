"""Checkpoint folders: complete or absent, found by age, refused where anything does not verify."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch

from fastpose.errors import UserError
from fastpose.training import checkpoint_folder as folders
from fastpose.training.checkpoint_folder import FILES, MANIFEST, MODEL

TENSORS = {"a": torch.arange(6.0).view(2, 3), "b": torch.ones(2, dtype=torch.int64)}


def content(step: int) -> dict[str, Callable[[], bytes]]:
    return {name: lambda name=name: f"{name} of {step}".encode() for name in FILES}


def write(parent: Path, step: int, files: dict[str, Callable[[], bytes]] | None = None) -> Path:
    files = files or content(step)
    return folders.write_folder(parent, step, files, stage="s", config_hash="h", needed=1000)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    folder = write(tmp_path, 12, {**content(12), MODEL: lambda: folders.serialise(TENSORS)})
    assert folder == tmp_path / "step_000012"
    assert sorted(p.name for p in folder.iterdir()) == sorted([*FILES, MANIFEST])
    manifest = folders.read_manifest(folder)
    assert (manifest.step, manifest.stage, manifest.config_hash) == (12, "s", "h")
    read = folders.read_tensors(folder, manifest, MODEL, limit=10_000)
    assert all(torch.equal(read[name], TENSORS[name]) for name in TENSORS)
    assert folders.read_layout(folder / MODEL) == folders.layout_of(TENSORS)


def test_a_checkpoint_of_the_same_step_is_replaced(tmp_path: Path) -> None:
    write(tmp_path, 3)
    folder = write(tmp_path, 3, {name: lambda: b"new" for name in FILES})
    assert (folder / MODEL).read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["step_000003"]


@pytest.mark.parametrize("broken", FILES)
def test_a_write_that_fails_leaves_nothing_and_spares_the_older(
    tmp_path: Path, broken: str
) -> None:
    write(tmp_path, 1)
    before = {p.name: p.read_bytes() for p in (tmp_path / "step_000001").iterdir()}

    def fail() -> bytes:
        raise KeyboardInterrupt

    for step in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path, step, {**content(step), broken: fail})
    assert [p.name for p in tmp_path.iterdir()] == ["step_000001"]
    assert {p.name: p.read_bytes() for p in (tmp_path / "step_000001").iterdir()} == before


def test_folders_are_listed_newest_first_by_number(tmp_path: Path) -> None:
    for name in ("step_000002", "step_1000000", "step_000010", "step_5", "other", ".step_000011"):
        (tmp_path / name).mkdir()
    names = [p.name for p in folders.list_folders(tmp_path)]
    assert names == ["step_1000000", "step_000010", "step_000002"]
    assert folders.list_folders(tmp_path / "absent") == []


def test_only_leftovers_of_writers_are_removed(tmp_path: Path) -> None:
    keep = ["step_000002", ".step_notes", "mine.tmp-1"]
    for name in (*keep, ".step_000003.tmp-77", ".step_000003.tmp-77-old"):
        (tmp_path / name).mkdir()
    folders.remove_temporaries(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(keep)


def test_removing_a_checkpoint_leaves_nothing(tmp_path: Path) -> None:
    folders.remove_folder(write(tmp_path, 1))
    assert list(tmp_path.iterdir()) == []


def change_manifest(folder: Path, change: Callable[[dict], object]) -> None:
    path = folder / MANIFEST
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


MANIFESTS: list[tuple[Callable[[dict], object], str]] = [
    (lambda m: m.update(format="zip"), "is 'zip' version 1, expected fastpose-checkpoint"),
    (lambda m: m.update(version=2), "version 2, expected"),
    (lambda m: m.pop("step"), "is damaged"),
    (lambda m: m.update(step=-1), "is damaged"),
    (lambda m: m.update(step=True), "is damaged"),
    (lambda m: m.update(step=13), "speaks of step 13, but lies in step_000012"),
    (lambda m: m.update(files=3), "files must be"),
    (lambda m: m["files"].pop(MODEL), "files must be"),
    (lambda m: m["files"].update({"../../x": {"bytes": 1, "sha256": ""}}), "files must be"),
    (lambda m: m["files"].update({MODEL: 7}), "is damaged"),
    (lambda m: m["files"][MODEL].update(bytes=1 << 70), "its manifest says"),
    (lambda m: m["files"][MODEL].update(bytes="9"), "is damaged"),
]


@pytest.mark.parametrize(("change", "message"), MANIFESTS)
def test_a_manifest_that_is_not_true_is_refused(
    tmp_path: Path, change: Callable[[dict], object], message: str
) -> None:
    folder = write(tmp_path, 12)
    change_manifest(folder, change)
    with pytest.raises(UserError, match=message):
        folders.read_manifest(folder)


def test_files_that_are_missing_cut_linked_or_changed_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, 12)
    manifest = folders.read_manifest(folder)
    path, good = folder / MODEL, (folder / MODEL).read_bytes()
    path.write_bytes(good[::-1])
    with pytest.raises(UserError, match="SHA-256 differs"):
        folders.read_verified(folder, manifest, MODEL, limit=1000)
    path.write_bytes(good)
    with pytest.raises(UserError, match="at most 3 were expected"):
        folders.read_verified(folder, manifest, MODEL, limit=3)
    path.write_bytes(good[:-1])
    with pytest.raises(UserError, match="its manifest says"):
        folders.read_manifest(folder)
    path.unlink()
    with pytest.raises(UserError, match=r"model.safetensors: is missing"):
        folders.read_manifest(folder)
    path.symlink_to(folder / "state.json")
    with pytest.raises(UserError, match="not a plain file"):
        folders.read_manifest(folder)
    path.unlink()
    os.mkfifo(path)  # would block for ever if it were opened
    with pytest.raises(UserError, match="not a plain file"):
        folders.read_manifest(folder)


def header(text: bytes, length: int | None = None) -> bytes:
    return (len(text) if length is None else length).to_bytes(8, "little") + text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04",
        header(b"", 1 << 60),
        header(b"{", None),
        header(b"[]"),
        header(b'{"a": 1}'),
        header(b'{"a": {"dtype": "F32", "shape": [-1]}}'),
        header(b'{"a": {"dtype": "F32", "shape": 4}}'),
        header(b'{"a":' * 5000),
    ],
)
def test_a_header_that_is_none_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"x\.safetensors"):
        folders.read_layout(path)


def test_tensors_with_nan_or_overlap_are_refused(tmp_path: Path) -> None:
    bad = {"w": torch.tensor([1.0, float("inf")])}
    folder = write(tmp_path, 1, {**content(1), MODEL: lambda: safetensors.torch.save(bad)})
    with pytest.raises(UserError, match="'w' holds NaN or infinity"):
        folders.read_tensors(folder, folders.read_manifest(folder), MODEL, limit=1000)
    entry = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    overlap = header(json.dumps({"a": entry, "b": entry}).encode()) + bytes(4)
    folder = write(tmp_path, 2, {**content(2), MODEL: lambda: overlap})
    with pytest.raises(UserError, match="no valid safetensors file"):
        folders.read_tensors(folder, folders.read_manifest(folder), MODEL, limit=1000)


def test_the_first_tensor_that_differs_is_named() -> None:
    expected = folders.layout_of(TENSORS)
    path = Path("x")
    folders.check_layout(path, {**expected, "more": ("F32", (1,))}, expected)
    with pytest.raises(UserError, match="no tensor 'b'"):
        folders.check_layout(path, {"a": expected["a"]}, expected)
    with pytest.raises(UserError, match=r"'a' should be F32 \(2, 3\), found F16 \(2, 3\)"):
        folders.check_layout(path, {**expected, "a": ("F16", (2, 3))}, expected)


def test_bytes_of_a_layout() -> None:
    layout = {"a": ("F32", (2, 3)), "b": ("I64", (2,)), "c": ("BOOL", ()), "d": ("BF16", (5,))}
    assert folders.layout_bytes(layout) == 24 + 16 + 1 + 10
