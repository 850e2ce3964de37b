"""What a recipe holds, how its fields are overridden, how it is written down and read back."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastpose.data.pairs import PAIRS
from fastpose.data.pose_prior import PriorConfig
from fastpose.errors import UserError, nearest
from fastpose.models.base import Model, ModelConfig
from fastpose.models.keypoint_gan import KeypointGAN, KeypointGANConfig
from fastpose.models.lifting import Lifter, LiftingConfig
from fastpose.models.shape_templates import ShapeTemplates, ShapeTemplatesConfig
from fastpose.models.supervised import Supervised, SupervisedConfig
from fastpose.skeletons import Skeleton, get_skeleton
from fastpose.structures import convert, from_dict
from fastpose.training.phases import (
    AUTO,
    BATCH_NORMS,
    CUDA_GRAPHS,
    MOST_SKIPPED,
    PRECISIONS,
    SYNCHRONISED,
    Stage,
)

# The systems by the name under which a recipe is written down.
SYSTEMS: dict[str, tuple[type[ModelConfig], Callable[..., Model]]] = {
    "keypointgan": (KeypointGANConfig, KeypointGAN),
    "shape-templates": (ShapeTemplatesConfig, ShapeTemplates),
    "lifting": (LiftingConfig, Lifter),
    "supervised": (SupervisedConfig, Supervised),
}


@dataclass(frozen=True)
class Augmentation:
    """One random similarity for both frames of a pair, borders replicated (ours; the paper: none).

    Args:
        flip: mirror half of the pairs.
        scale: standard deviation of the logarithm of the scale.
        shift: standard deviation of the shift, as a share of the picture's side.
        rotation: standard deviation of the rotation, in degrees.
    """

    flip: bool = False
    scale: float = 0.0
    shift: float = 0.0
    rotation: float = 0.0

    def __post_init__(self) -> None:
        for name in ("scale", "shift", "rotation"):
            if getattr(self, name) < 0:
                raise UserError(f"augmentation.{name}: must not be negative")


@dataclass(frozen=True)
class Recipe:
    """Everything an experiment fixes but the data and where it is.

    Args:
        name: of the recipe; ``fastpose train NAME``.
        skeleton: name of the skeleton that the model learns; empty where a template tells it.
        model: the model's configuration.
        prior: how unpaired poses are drawn; None where no stage needs any.
        stages: what is trained, in order.
        augmentation: of the frames.
        pairs: which two pictures make a pair, see ``fastpose.data.pairs``: "frames", "earlier",
            "scenes", "warps" (of single pictures) or "views".
        min_gap, max_gap: least and greatest distance of a pair's frames within their clip.
        by_frames: every frame is as likely; False: every clip is, as published.
        precision: of the networks' arithmetic in training: "float32", "bfloat16" (autocast), or
            "auto": bfloat16 where the device computes it natively. Weights are always float32.
        batch_norm: what batch normalisation sees where several processes share a batch:
            "synchronised", the whole batch, so that an experiment does not depend on how many
            processes run it; or "local", each process' part, which is faster and for large parts.
        cuda_graph: whether a step is one CUDA graph: "auto", where there is one GPU and the model
            allows it; "on", or else an error; "off". The losses are the same.
        compile: run the networks by torch.compile while training: minutes at the start of every
            session for faster steps on some machines. Losses are the same but for rounding.
        ema_decay: of the averaged weights that are evaluated and exported; 0 for none.
        checkpoint_every, sheet_every, log_every: in steps; 0: at the stages' ends alone, and
            no sheets at all.
        keep_checkpoints: how many of the newest are kept.
        skip_not_finite: steps in a row, up to 3, that are skipped where a loss or a gradient is not
            finite, and counted; 0: the first one ends training. Batches that failed are kept.
        seed: of everything random.
    """

    name: str
    skeleton: str
    model: ModelConfig
    prior: PriorConfig | None
    stages: tuple[Stage, ...]
    augmentation: Augmentation = field(default_factory=Augmentation)
    pairs: str = "frames"
    min_gap: int = 0
    max_gap: int = 1000
    by_frames: bool = True
    precision: str = "float32"
    batch_norm: str = SYNCHRONISED
    cuda_graph: str = AUTO
    compile: bool = False
    ema_decay: float = 0.0
    checkpoint_every: int = 1000
    sheet_every: int = 500
    log_every: int = 50
    keep_checkpoints: int = 3
    skip_not_finite: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.model.skeleton is not None) == bool(self.skeleton):
            raise UserError(
                "skeleton: must be empty with a shape template, which tells the joints, and named "
                f"with any other model; got '{self.skeleton}'"
            )
        if self.needs_poses and self.prior is None:
            raise UserError("prior: a stage needs poses, so it cannot be None")
        if self.precision not in PRECISIONS:
            raise UserError(
                f"precision: expected one of {', '.join(PRECISIONS)}, got '{self.precision}'"
            )
        if self.batch_norm not in BATCH_NORMS:
            raise UserError(
                f"batch_norm: expected one of {', '.join(BATCH_NORMS)}, got '{self.batch_norm}'"
            )
        if self.cuda_graph not in CUDA_GRAPHS:
            raise UserError(
                f"cuda_graph: expected one of {', '.join(CUDA_GRAPHS)}, got '{self.cuda_graph}'"
            )
        if not 0.0 <= self.ema_decay < 1.0:
            raise UserError(f"ema_decay: expected 0 to below 1, got {self.ema_decay}")
        if self.pairs not in PAIRS:
            raise UserError(f"pairs: expected one of {', '.join(PAIRS)}, got '{self.pairs}'")
        if not 0 <= self.min_gap <= self.max_gap or self.max_gap < 1:
            raise UserError(
                "min_gap, max_gap: expected 0 <= min <= max and max >= 1, got "
                f"{self.min_gap}, {self.max_gap}"
            )
        for name in ("checkpoint_every", "sheet_every", "log_every"):
            if getattr(self, name) < 0:
                raise UserError(f"{name}: expected 0 (never) or more, got {getattr(self, name)}")
        if not 0 <= self.skip_not_finite <= MOST_SKIPPED:
            raise UserError(
                f"skip_not_finite: expected 0 to {MOST_SKIPPED}, got {self.skip_not_finite}"
            )
        if self.keep_checkpoints < 1:
            raise UserError(f"keep_checkpoints: expected 1 or more, got {self.keep_checkpoints}")

    @property
    def needs(self) -> frozenset[str]:
        """Everything that a stage needs."""
        return frozenset(need for stage in self.stages if stage.steps for need in stage.needs)

    @property
    def needs_poses(self) -> bool:
        """Whether a stage draws poses that belong to no image."""
        return bool(self.needs & {"poses", "bodies"})

    @property
    def needs_clips(self) -> bool:
        """Whether a stage looks at clips."""
        return bool(self.needs & {"frames", "keypoints", "labelled", "detected"})

    @property
    def files(self) -> dict[str, str]:
        """Fields of the model that name files or folders, with what they name."""
        named = {name: getattr(self.model, name) for name in self.model.FILES}
        return {name: path for name, path in named.items() if path}

    @property
    def target(self) -> Skeleton:
        """What the model learns to detect; UserError where the skeleton's name is unknown."""
        return self.model.skeleton or get_skeleton(self.skeleton)


def build_model(recipe: Recipe, skeleton: Skeleton, *, for_training: bool = True) -> Model:
    """The recipe's model; without what only training needs if ``for_training`` is off."""
    model = next(model for config, model in SYSTEMS.values() if type(recipe.model) is config)
    return model(recipe.model, skeleton, for_training=for_training)


def override(recipe: Recipe, pairs: Sequence[str]) -> Recipe:
    """``recipe`` with fields replaced, each given as ``path.to.field=value``.

    Values are written as JSON or plain words; stages are addressed by name
    (``stages.main.steps=2000``), phases too
    (``stages.main.generator.weights.perceptual``).

    Raises:
        UserError: no ``=``, an unknown field (with the nearest name), or a value of another kind.
    """
    changes = []
    for pair in pairs:
        path, equals, text = pair.partition("=")
        if not equals or not path:
            raise UserError(f"--set {pair}: expected key=value, such as model.width=16")
        changes.append((path.strip(), _parse(text.strip())))
    # Fields that must fit each other may come in any order: what fails is tried again after the
    # others, until nothing more succeeds.
    while changes:
        failed, first = [], None
        for path, value in changes:
            try:
                recipe = _replace(recipe, path.split("."), value, path)
            except UserError as error:
                failed.append((path, value))
                first = first or error
        if first is not None and len(failed) == len(changes):
            raise first
        changes = failed
    return recipe


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return {"True": True, "False": False, "None": None}.get(text, text)


def _replace(owner: Any, path: list[str], value: Any, whole: str) -> Any:
    head, rest = path[0], path[1:]
    if isinstance(owner, tuple):
        names = [getattr(item, "name", None) for item in owner]
        if head not in names or not rest:
            raise _unknown(whole, head, [n for n in names if n])
        place = names.index(head)
        return (*owner[:place], _replace(owner[place], rest, value, whole), *owner[place + 1 :])
    if isinstance(owner, Mapping):
        if head not in owner or rest:
            raise _unknown(whole, head, list(owner))
        return {**owner, head: convert(value, float, whole)}
    names = [f.name for f in dataclasses.fields(owner)]
    if head not in names:
        # A stage's phases may be named directly: stages.main.generator
        if hasattr(owner, "phases") and rest and head in [p.name for p in owner.phases]:
            return dataclasses.replace(owner, phases=_replace(owner.phases, path, value, whole))
        raise _unknown(whole, head, names)
    current = getattr(owner, head)
    if rest:
        if not (dataclasses.is_dataclass(current) or isinstance(current, (tuple, Mapping))):
            raise UserError(f"--set {whole}: '{head}' has no fields of its own")
        return dataclasses.replace(owner, **{head: _replace(current, rest, value, whole)})
    whole_ones = dataclasses.is_dataclass(current) and not hasattr(current, "named")
    if whole_ones or head in ("stages", "phases", "name"):
        raise UserError(f"--set {whole}: name one field of it, such as {whole}.FIELD=value")
    kind = typing.get_type_hints(type(owner))[head]
    return dataclasses.replace(owner, **{head: convert(value, kind, whole)})


def _unknown(whole: str, name: str, known: Sequence[str]) -> UserError:
    return UserError(
        f"--set {whole}: no field '{name}'{nearest(name, known)} (known: {', '.join(known)})"
    )


def recipe_to_dict(recipe: Recipe) -> dict[str, Any]:
    """The whole recipe as JSON-able data, read back by :func:`recipe_from_dict`."""
    system = next(name for name, (kind, _) in SYSTEMS.items() if type(recipe.model) is kind)
    data = {"system": system, **dataclasses.asdict(recipe)}
    return json.loads(json.dumps(data))


def recipe_from_dict(data: Mapping[str, Any]) -> Recipe:
    """Inverse of :func:`recipe_to_dict`; UserError naming an unknown or wrong field."""
    if not isinstance(data, Mapping):
        raise UserError(f"recipe: expected fields of Recipe, got {data!r}")
    system = data.get("system")
    if system not in SYSTEMS:
        raise UserError(f"recipe.system: expected one of {', '.join(SYSTEMS)}, got {system!r}")
    fields = {key: value for key, value in data.items() if key != "system"}
    if "model" in fields:
        model = from_dict(SYSTEMS[system][0], fields["model"], "recipe.model")
        fields["model"] = model
    return from_dict(Recipe, fields, "recipe")
