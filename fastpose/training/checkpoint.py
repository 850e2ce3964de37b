"""Training states and models to and from checkpoint folders (see ``checkpoint_folder``)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fastpose.errors import UserError
from fastpose.files import parse_object, pretty_json
from fastpose.models.base import Model, PoseModel
from fastpose.skeletons import Skeleton
from fastpose.training import checkpoint_folder as folders
from fastpose.training.batches import make_generators
from fastpose.training.checkpoint_folder import EMA, JSON_LIMIT, MODEL, OPTIMIZER, SLACK, STATE
from fastpose.training.metrics import MetricSums
from fastpose.training.state import TrainState

Report = Callable[[str], None]
CHECKPOINTS = "checkpoints"


def _to_stderr(message: str) -> None:
    print(f"fastpose: {message}", file=sys.stderr)


@dataclass(frozen=True)
class CheckpointInfo:
    """A verified checkpoint and what it holds.

    Attributes:
        folder: where it lies.
        step, stage: how far training had come.
        config: ``recipe`` and ``skeleton`` as JSON-able dictionaries.
        sha256: of the weights' file that :func:`load_model` reads.
    """

    folder: Path
    step: int
    stage: str
    config: Mapping[str, Any]
    sha256: str


def checkpoint_bytes(state: TrainState) -> int:
    """Upper bound on the bytes of one checkpoint of ``state``."""
    tensors = state.model.state_dict().values()
    trained = {
        id(p): p
        for stage in state.stages
        for phase in stage.phases
        for p in state.parameters_of(phase)
    }
    both = 2 * sum(t.numel() * t.element_size() for t in tensors)
    moments = 2 * sum(p.numel() * p.element_size() for p in trained.values())
    return both + moments + 4 * SLACK


def save_checkpoint(
    state: TrainState,
    parent: Path,
    config: Mapping[str, Any],
    *,
    timing: Mapping[str, float] | None = None,
    keep: int = 3,
) -> Path:
    """Write and verify ``parent/step_N``; of older ones the last ``keep`` and stage ends stay.

    Args:
        config: stored within, and compared by :func:`restore_checkpoint`.
        timing: seconds so far; no part of what must repeat exactly.

    Raises:
        UserError: see :func:`checkpoint_folder.write_folder`.
    """
    rng: dict[str, Any] = dict(state.rng_states)
    rng["torch"] = torch.get_rng_state().numpy().tobytes().hex()
    if state.device.type == "cuda":
        rng["cuda"] = torch.cuda.get_rng_state(state.device).numpy().tobytes().hex()
    stage = state.last_stage().name
    # The next stage begins with fresh optimizers.
    moments = {} if state.at_stage_end() else state.optimizer_tensors()
    content = {
        "step": state.step,
        "stage": stage,
        "config": config,
        "rng": rng,
        "metrics": state.metrics.to_list(),
        "skipped": [state.skipped, state.skipped_in_a_row],
        "timing": dict(timing or {}),
    }
    folder = folders.write_folder(
        parent,
        state.step,
        {
            MODEL: lambda: folders.serialise(state.model.state_dict()),
            EMA: lambda: folders.serialise(state.ema.module().state_dict()),
            OPTIMIZER: lambda: folders.serialise(moments),
            STATE: lambda: pretty_json(content),
        },
        stage=stage,
        config_hash=folders.config_hash(config),
        needed=checkpoint_bytes(state),
    )
    _verify(folder)
    _prune(state, parent, keep)
    return folder


def _verify(folder: Path) -> None:
    manifest = folders.read_manifest(folder)
    for name, (size, _) in manifest.files.items():
        folders.read_verified(folder, manifest, name, limit=size)


def _prune(state: TrainState, parent: Path, keep: int) -> None:
    ends, total = set(), 0
    for stage in state.stages:
        total += stage.steps
        ends.add(folders.folder_name(total))
    for folder in folders.list_folders(parent)[max(1, keep) :]:
        if folder.name not in ends:
            folders.remove_folder(folder)


def restore_checkpoint(
    state: TrainState, folder: Path, config: Mapping[str, Any]
) -> Mapping[str, float]:
    """Continue ``state`` from ``folder``. Returns the timing stored with it.

    Everything is read and verified before anything of ``state`` changes, but for the optimizers'
    tensors, whose names and shapes are compared last.

    Raises:
        UserError: the checkpoint is damaged, or belongs to another recipe.
    """
    manifest = folders.read_manifest(folder)
    content = _read_state(folder, manifest)
    if manifest.config_hash != folders.config_hash(config):
        stored = _with_newer_fields(content["config"])
        if folders.config_hash(stored) != folders.config_hash(config):
            raise UserError(f"{folder}: belongs to another recipe ({difference(stored, config)})")
    layout = folders.layout_of(state.model.state_dict())
    weights = {}
    for name in (MODEL, EMA):
        weights[name] = _read_weights(folder, manifest, name, layout)
    limit = 3 * folders.layout_bytes(layout) + 4 * SLACK
    moments = folders.read_tensors(folder, manifest, OPTIMIZER, limit=limit)
    rng = content["rng"]
    make_generators(rng)
    generators = {n: _rng_tensor(folder, rng[n]) for n in ("torch", "cuda") if n in rng}
    metrics = MetricSums()
    metrics.load(content["metrics"])
    if manifest.step > state.total_steps or "torch" not in generators:
        raise UserError(f"{folder}: step {manifest.step} does not fit this run's schedule")
    try:
        timing = {str(k): float(v) for k, v in content["timing"].items()}
        skipped, in_a_row = (int(n) for n in content["skipped"])
        torch.set_rng_state(generators["torch"])
        if state.device.type == "cuda" and "cuda" in generators:
            torch.cuda.set_rng_state(generators["cuda"], state.device)
    except (RuntimeError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{folder / STATE}: a random state, time or count is invalid ({reason})"
        ) from None

    state.rewind(manifest.step)
    state.model.load_state_dict(weights[MODEL])
    state.ema.module().load_state_dict(weights[EMA])
    if moments:
        state.load_optimizer_tensors(moments)
    state.rng_states = {n: rng[n] for n in state.rng_states}
    state.metrics = metrics
    state.skipped, state.skipped_in_a_row = skipped, in_a_row
    return timing


def _read_state(folder: Path, manifest: folders.Manifest) -> dict[str, Any]:
    path = folder / STATE
    content = parse_object(path, folders.read_verified(folder, manifest, STATE, limit=JSON_LIMIT))
    kinds = {
        "step": int,
        "stage": str,
        "config": dict,
        "rng": dict,
        "metrics": list,
        "skipped": list,
        "timing": dict,
    }
    for key, kind in kinds.items():
        if type(content.get(key)) is not kind:
            raise UserError(f"{path}: '{key}' is missing or not of type {kind.__name__}")
    if content["step"] != manifest.step:
        raise UserError(f"{path}: is of step {content['step']}, the manifest of {manifest.step}")
    if folders.config_hash(content["config"]) != manifest.config_hash:
        raise UserError(f"{path}: its configuration differs from the manifest's hash")
    return content


def _read_weights(
    folder: Path, manifest: folders.Manifest, name: str, expected: folders.Layout
) -> dict[str, Tensor]:
    """The tensors of ``expected``; others in the file are left out, but bounded in size."""
    found = folders.read_layout(folder / name)
    folders.check_layout(folder / name, found, expected)
    limit = 2 * folders.layout_bytes(expected) + 64 * SLACK
    tensors = folders.read_tensors(folder, manifest, name, limit=limit)
    return {key: tensors[key] for key in expected}


def _rng_tensor(folder: Path, text: Any) -> Tensor:
    try:
        return torch.tensor(list(bytes.fromhex(text)), dtype=torch.uint8)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{folder / STATE}: a random state is no text of hex digits ({error})"
        ) from None


def _with_newer_fields(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """A stored configuration with the fields that recipes have got since, at their defaults."""
    from fastpose.recipes import recipe_from_dict, recipe_to_dict

    try:
        return {**config, "recipe": recipe_to_dict(recipe_from_dict(config.get("recipe", {})))}
    except UserError:  # a recipe that this version does not know; what differs is said
        return config


def difference(a: Any, b: Any, where: str = "") -> str:
    """The first place in which two JSON-able values differ, in words."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted({*a, *b}, key=str):
            if a.get(key) != b.get(key):
                return difference(a.get(key), b.get(key), f"{where}.{key}".lstrip("."))
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            if x != y:
                return difference(x, y, f"{where}[{i}]")
    return f"{where or 'all'} is {str(a)[:60]!r} there and {str(b)[:60]!r} here"


def resume(
    state: TrainState, parent: Path, config: Mapping[str, Any], *, report: Report = _to_stderr
) -> Mapping[str, float] | None:
    """Continue from the newest checkpoint under ``parent`` that verifies; None where there is none.

    Each one passed over is reported with the reason.

    Raises:
        UserError: there are checkpoints and none can be used; names the newest one's reason.
    """
    reasons = []
    for folder in folders.list_folders(parent):
        try:
            return restore_checkpoint(state, folder, config)
        except UserError as error:
            report(f"passed over {folder.name}: {error}")
            reasons.append(str(error))
    if reasons:
        raise UserError(f"{parent}: no checkpoint can be resumed; the newest: {reasons[0]}")
    return None


def find_checkpoint(path: str | Path, *, report: Report = _to_stderr) -> Path:
    """The checkpoint folder meant by ``path``: itself, or the newest of a run that verifies."""
    path = Path(path)
    if not path.is_dir():
        raise UserError(f"{path}: no such folder; give a run or a checkpoint that 'train' wrote")
    if (path / folders.MANIFEST).exists():
        return path
    parent = path / CHECKPOINTS if (path / CHECKPOINTS).is_dir() else path
    candidates = folders.list_folders(parent)
    if not candidates:
        raise UserError(f"{path}: holds no checkpoint; give a run that 'train' has written")
    for folder in candidates:
        try:
            _verify(folder)
            return folder
        except UserError as error:
            report(f"passed over {folder.name}: {error}")
    raise UserError(f"{path}: none of its {len(candidates)} checkpoints is complete; train again")


def describe(path: str | Path, *, ema: bool = True) -> CheckpointInfo:
    """What the checkpoint at ``path`` (a run or a checkpoint folder) holds; see CheckpointInfo."""
    folder = find_checkpoint(path)
    manifest = folders.read_manifest(folder)
    content = _read_state(folder, manifest)
    digest = manifest.files[EMA if ema else MODEL][1]
    return CheckpointInfo(folder, manifest.step, manifest.stage, content["config"], digest)


def load_model(path: str | Path, *, ema: bool = True) -> Model:
    """The model of a run or a checkpoint folder, in eval mode on the CPU.

    Args:
        path: a run (its newest complete checkpoint is taken) or a checkpoint folder.
        ema: the averaged weights; False takes those of the last step.

    Raises:
        UserError: nothing there, damaged, or of a model that this version does not know.
    """
    from fastpose.recipes import build_model, recipe_from_dict

    folder = find_checkpoint(path)
    manifest = folders.read_manifest(folder)
    config = _read_state(folder, manifest)["config"]
    for key in ("recipe", "skeleton"):
        if not isinstance(config.get(key), dict):
            raise UserError(f"{folder / STATE}: its configuration has no '{key}'")
    recipe = recipe_from_dict(config["recipe"])
    skeleton = Skeleton.from_dict(config["skeleton"])
    name = EMA if ema else MODEL
    try:
        # Without memory first: a hostile configuration may describe a model of any size.
        with torch.device("meta"):
            model = build_model(recipe, skeleton, for_training=False)
        layout = folders.layout_of(model.state_dict())
        weights = _read_weights(folder, manifest, name, layout)
        model = build_model(recipe, skeleton, for_training=False)
    except (RuntimeError, OverflowError, MemoryError, TypeError) as error:
        reason = str(error).splitlines()[0][:120]
        raise UserError(
            f"{folder / STATE}: describes no model that can be built ({reason})"
        ) from None
    model.load_state_dict(weights)
    return model.requires_grad_(False).eval()


def load_detector(path: str | Path) -> PoseModel:
    """As :func:`load_model`, averaged weights; UserError where it is no model of pictures."""
    model = load_model(path)
    if not isinstance(model, PoseModel):
        raise UserError(
            f"{path}: holds a {type(model).__name__}, which finds no joints in pictures; name a "
            "run of a detector"
        )
    return model
