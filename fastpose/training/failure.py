"""A step that gave NaN or infinity: the error, and what is kept for finding the cause."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import safetensors.numpy
import torch
from torch import Tensor

from fastpose.errors import UserError
from fastpose.training.batches import Prepared
from fastpose.training.files import canonical_json, explained, write_synced
from fastpose.training.state import TrainState

_PARTS = {"gradient": "the gradient's norm", "weights": "the weights after the update"}


class TrainingFailed(UserError):
    """A figure of a step is not finite.

    Attributes:
        figure: ``phase/loss``, ``phase/total/gradient`` or ``phase/total/weights``.
        value: what it was.
    """

    def __init__(self, figure: str, value: float) -> None:
        phase, loss, *part = figure.split("/")
        what = _PARTS[part[0]] if part else f"loss '{loss}'"
        kind = "NaN" if math.isnan(value) else "infinite"
        super().__init__(f"phase '{phase}': {what} is {kind}")
        self.figure, self.value = figure, value


def dump_failure(
    error: TrainingFailed, state: TrainState, prepared: Prepared, torch_rng: Tensor, folder: Path
) -> UserError:
    """Keep the whole batch and the generators' states in ``folder/step_N``; the error to raise.

    Args:
        torch_rng: torch's generator before the step.
    """
    step = state.step + 1
    arrays = {
        name: state.world.gather(torch.from_numpy(np.ascontiguousarray(a))).numpy()
        for name, a in prepared.arrays.items()
    }
    kept = folder / f"step_{step:06d}"
    record = {
        "step": step,
        "stage": state.stages[state.position()[0]].name,
        "figure": error.figure,
        "value": str(error.value),
        "rng_before": {**state.rng_states, "torch": torch_rng.numpy().tobytes().hex()},
    }
    if state.world.leads:
        with explained(kept, "the batch that failed"):
            shutil.rmtree(kept, ignore_errors=True)
            kept.mkdir(parents=True)
            write_synced(kept / "batch.safetensors", safetensors.numpy.save(arrays))
            write_synced(kept / "failure.json", canonical_json(record))
    return UserError(
        f"step {step}, {error}; its batch is kept in {kept}; look at it, or resume from the last "
        "checkpoint with a lower learning rate"
    )
