"""A checkpoint on disk: a folder of safetensors and JSON that is complete or not there.

::

    step_000500/model.safetensors      weights and buffers
    step_000500/ema.safetensors        the same of the moving average
    step_000500/optimizer.safetensors  see TrainState.optimizer_tensors
    step_000500/state.json             configuration, random generators, metric sums
    step_000500/manifest.json          sizes and SHA-256 of the others; written last

Everything is written under a temporary name, synced, and renamed. A folder is trusted only where
its manifest verifies; whoever made it may be hostile, so sizes are bounded before anything is read.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from fastpose.errors import UserError
from fastpose.files import (
    canonical_json,
    explained,
    read_json,
    require_space,
    sha256,
    sync_folder,
    write_synced,
)

FORMAT, VERSION = "fastpose-checkpoint", 1
MODEL, EMA, OPTIMIZER, STATE = (
    "model.safetensors",
    "ema.safetensors",
    "optimizer.safetensors",
    "state.json",
)
FILES = (MODEL, EMA, OPTIMIZER, STATE)
MANIFEST = "manifest.json"
JSON_LIMIT = 4 << 20  # bytes of a manifest, a state, a header
SLACK = 1 << 20  # bytes of headers and JSON that go with the tensors

_NAME = re.compile(r"step_(\d{6,12})")
_TEMPORARY = re.compile(r"\.step_\d+\.tmp-\d+(-old)?")
Layout = dict[str, tuple[str, tuple[int, ...]]]
_DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


@dataclass(frozen=True)
class Manifest:
    """What a checkpoint says of itself: its step, its configuration's hash, its files."""

    step: int
    stage: str
    config_hash: str
    files: Mapping[str, tuple[int, str]]  # name -> (bytes, SHA-256)


def folder_name(step: int) -> str:
    """The name of the folder of ``step``."""
    return f"step_{step:06d}"


def layout_of(tensors: Mapping[str, Tensor]) -> Layout:
    """Name to (safetensors dtype, shape)."""
    return {name: (_DTYPES[t.dtype], tuple(t.shape)) for name, t in tensors.items()}


def serialise(tensors: Mapping[str, Tensor]) -> bytes:
    """``tensors`` as one safetensors file."""
    plain = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    return safetensors.torch.save(plain)


def list_folders(parent: Path) -> list[Path]:
    """The step folders of ``parent``, newest first; nothing is verified."""
    if not parent.is_dir():
        return []
    matches = [(m, path) for path in parent.iterdir() if (m := _NAME.fullmatch(path.name))]
    return [path for _, path in sorted(matches, key=lambda item: int(item[0][1]), reverse=True)]


def remove_temporaries(parent: Path) -> None:
    """Delete what killed writers left. Call only as the run's sole writer."""
    for path in parent.iterdir() if parent.is_dir() else ():
        if _TEMPORARY.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True)


def write_folder(
    parent: Path,
    step: int,
    files: Mapping[str, Callable[[], bytes]],
    *,
    stage: str,
    config_hash: str,
    needed: int,
) -> Path:
    """Write the checkpoint of ``step`` under ``parent``, in place of one of the same step.

    Args:
        files: for each of :data:`FILES` a function that gives its content; called one at a time.
        needed: bytes in all, for the check of free space and for messages.

    Raises:
        UserError: not enough space before or while writing, or the folder cannot be written.
            Checkpoints that were there before are untouched.
    """
    final = parent / folder_name(step)
    temporary = parent / f".{final.name}.tmp-{os.getpid()}"
    old = parent / f"{temporary.name}-old"
    require_space(parent, needed, f"checkpoint {final.name}")
    try:
        with explained(final, "the checkpoint", needed=needed):
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
            entries = {}
            for name in FILES:
                data = files[name]()
                write_synced(temporary / name, data)
                entries[name] = {"bytes": len(data), "sha256": sha256(data)}
            manifest = {
                "format": FORMAT,
                "version": VERSION,
                "step": step,
                "stage": stage,
                "config_hash": config_hash,
                "files": entries,
            }
            write_synced(temporary / MANIFEST, json.dumps(manifest, indent=1).encode())
            sync_folder(temporary)
            if final.exists():
                os.rename(final, old)
            os.rename(temporary, final)
            sync_folder(parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return final


def remove_folder(folder: Path) -> None:
    """Delete a checkpoint; being renamed first, it is never seen half deleted."""
    doomed = folder.with_name(f".{folder.name}.tmp-{os.getpid()}")
    os.rename(folder, doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of ``folder``, checked against the files' names and sizes.

    Raises:
        UserError: missing, damaged, of another format, or not true of the folder.
    """
    path = folder / MANIFEST
    data = read_json(path, limit=JSON_LIMIT)
    if data.get("format") != FORMAT or data.get("version") != VERSION:
        raise UserError(
            f"{path}: is '{data.get('format')}' version {data.get('version')}, expected "
            f"{FORMAT} version {VERSION}"
        )
    entries = data.get("files")
    if not isinstance(entries, dict) or set(entries) != set(FILES):
        names = sorted(map(str, entries)) if isinstance(entries, dict) else type(entries).__name__
        raise UserError(f"{path}: files must be {', '.join(FILES)}, found {str(names)[:200]}")
    try:
        files = {n: (_natural(e["bytes"]), str(e["sha256"])) for n, e in entries.items()}
        step = _natural(data["step"])
        manifest = Manifest(step, str(data["stage"]), str(data["config_hash"]), files)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: is damaged ({type(error).__name__}: {error})") from None
    match = _NAME.fullmatch(folder.name)
    if match and int(match[1]) != step:
        raise UserError(f"{path}: speaks of step {step}, but lies in {folder.name}")
    for name, (size, _) in files.items():
        file = folder / name
        if file.is_symlink() or not file.is_file():
            raise UserError(f"{file}: {'is not a plain file' if file.exists() else 'is missing'}")
        if file.stat().st_size != size:
            raise UserError(
                f"{file}: has {file.stat().st_size} bytes, its manifest says {size}; "
                "the checkpoint is damaged"
            )
    return manifest


def _natural(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value


def read_verified(folder: Path, manifest: Manifest, name: str, *, limit: int) -> bytes:
    """Content of one file, at most ``limit`` bytes, with the size and hash of the manifest."""
    size, digest = manifest.files[name]
    if size > limit:
        raise UserError(f"{folder / name}: has {size} bytes, at most {limit} were expected")
    with open(folder / name, "rb") as file:
        data = file.read(size + 1)
    if len(data) != size or sha256(data) != digest:
        raise UserError(
            f"{folder / name}: its SHA-256 differs from the manifest's; the checkpoint is damaged"
        )
    return data


def read_layout(path: Path) -> Layout:
    """Names, dtypes and shapes in a safetensors file, from its header alone."""
    with open(path, "rb") as file:
        prefix = file.read(8)
        length = int.from_bytes(prefix, "little")
        if len(prefix) < 8 or length > JSON_LIMIT:
            raise UserError(f"{path}: is no safetensors file, or one with a header too large")
        text = file.read(length)
    try:
        header = json.loads(text)
        entries = [(name, e) for name, e in header.items() if name != "__metadata__"]
        return {n: (str(e["dtype"]), tuple(_natural(s) for s in e["shape"])) for n, e in entries}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:120]
        raise UserError(f"{path}: its header cannot be read ({reason})") from None


def check_layout(path: Path, found: Layout, expected: Layout) -> None:
    """UserError naming the first tensor in which ``found`` lacks or differs from ``expected``."""
    for name, (dtype, shape) in expected.items():
        if name not in found:
            raise UserError(
                f"{path}: has no tensor '{name}'; it is of another model or another version"
            )
        if found[name] != (dtype, shape):
            raise UserError(
                f"{path}: '{name}' should be {dtype} {shape}, found {found[name][0]} "
                f"{found[name][1]}; it is of a model with other settings"
            )


def read_tensors(folder: Path, manifest: Manifest, name: str, *, limit: int) -> dict[str, Tensor]:
    """All tensors of one safetensors file, verified, finite, at most ``limit`` bytes."""
    data = read_verified(folder, manifest, name, limit=limit)
    try:
        tensors = safetensors.torch.load(data)
    except (safetensors.SafetensorError, ValueError, KeyError, RuntimeError) as error:
        reason = str(error).splitlines()[0][:120]
        raise UserError(f"{folder / name}: is no valid safetensors file ({reason})") from None
    for key, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise UserError(f"{folder / name}: '{key}' holds NaN or infinity; take another one")
    return tensors


def layout_bytes(layout: Layout) -> int:
    """Bytes of the tensors of ``layout``."""
    width = {"64": 8, "32": 4, "16": 2}
    return sum(
        math.prod(shape) * next((b for k, b in width.items() if dtype.endswith(k)), 1)
        for dtype, shape in layout.values()
    )


def config_hash(config: Mapping[str, Any]) -> str:
    """SHA-256 of a configuration's canonical JSON."""
    return sha256(canonical_json(config))
