"""A step that gave NaN or infinity: the error, what is kept of it, and whether training goes on."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors.numpy
import torch
from torch import Tensor

from fastpose.errors import UserError
from fastpose.training.batches import Prepared
from fastpose.training.files import canonical_json, explained, write_synced
from fastpose.training.state import TrainState

_KEPT = 10  # of the batches that failed, the newest
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
) -> Path:
    """Keep the whole batch and the generators' states in ``folder/step_N``, which is returned.

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
            for old in sorted(folder.glob("step_*"))[:-_KEPT]:
                shutil.rmtree(old)
    return kept


class Tolerance:
    """Skips steps that are not finite, as if their batches had not been drawn.

    Phases that are not finite have changed no weights (see ``take_step``). Buffers, such as
    running statistics, are put back; what finite phases of the step have learnt stays.

    Args:
        state: that is trained.
        limit: steps in a row that may be skipped.
    """

    def __init__(self, state: TrainState, limit: int) -> None:
        self._state, self._limit = state, limit
        self._buffers = dict(state.model.named_buffers()) if limit else {}
        self._before = {name: b.clone() for name, b in self._buffers.items()}

    def before_step(self) -> None:
        """Remember what a step that is skipped must not have changed."""
        if self._buffers:
            torch._foreach_copy_([*self._before.values()], [*self._buffers.values()])

    def skip(self, error: TrainingFailed, values: Mapping[str, float], kept: Path) -> str:
        """Undo the step that gave ``values``; what there is to say of it.

        Args:
            kept: where its batch lies.

        Raises:
            UserError: there were too many in a row, or it left weights that are not finite.
        """
        state, step = self._state, self._state.step + 1
        spoilt = [k for k, v in values.items() if k.endswith("/weights") and not math.isfinite(v)]
        if spoilt or state.skipped_in_a_row >= self._limit:
            raise UserError(
                f"step {step}, {error}; its batch is kept in {kept}; look at it, or resume from "
                "the last checkpoint with a lower learning rate"
            )
        state.skipped += 1
        state.skipped_in_a_row += 1
        state.model.load_state_dict(self._before, strict=False)
        return (
            f"step {step} skipped ({state.skipped_in_a_row} in a row, {state.skipped} in all): "
            f"{error}; its batch is kept in {kept}"
        )
