"""What a training stage consists of, as data: phases, their losses, their optimizers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Arithmetic of the networks in training; see ``fastpose.training.precision``.
PRECISIONS = ("float32", "bfloat16", "auto")
# Statistics of batch normalisation where several processes share a batch.
SYNCHRONISED, LOCAL = BATCH_NORMS = ("synchronised", "local")
# Whether a step is one CUDA graph; "auto": where it can be, and nothing is said on CPUs.
AUTO, ON, OFF = CUDA_GRAPHS = ("auto", "on", "off")
MOST_SKIPPED = 3  # steps in a row that are not finite; after as many it is not their batches


@dataclass(frozen=True)
class OptimizerConfig:
    """Adam as every system of the field uses it (`specs` section 5: 2e-4, betas 0.5 and 0.999)."""

    lr: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = 0.0


@dataclass(frozen=True)
class Phase:
    """One optimizer step inside a training step.

    Args:
        name: handed to ``model.losses(batch, name)``.
        modules: attribute names of the model whose parameters it trains; all else is frozen.
        weights: loss name to weight; the phase minimises the weighted sum. Other entries that the
            model returns are logged only.
        optimizer: settings of the phase's own optimizer.
        clip_norm: global L2 norm to which the phase's gradient is clipped, or None.
    """

    name: str
    modules: tuple[str, ...]
    weights: Mapping[str, float]
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    clip_norm: float | None = 1.0


@dataclass(frozen=True)
class Stage:
    """A run of steps with the same phases.

    Args:
        name: appears in logs and checkpoints.
        steps: number of training steps.
        batch_size: items a step, over all processes.
        phases: executed in order within each step.
        needs: ``"frames"`` (target and other image) and/or ``"poses"`` (unpaired poses); or one of
            ``"keypoints"`` (frames with their labels), ``"bodies"``, ``"labelled"`` and
            ``"detected"``, see ``fastpose.training.batches``.
        lr_final: factor on every learning rate that is reached at the stage's end, linearly.
        decay_from: share of the stage, in [0, 1], after which that decay begins.
    """

    name: str
    steps: int
    batch_size: int
    phases: tuple[Phase, ...]
    needs: tuple[str, ...]
    lr_final: float = 1.0
    decay_from: float = 1.0
