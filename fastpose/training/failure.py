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
from fastpose.files import canonical_json, explained, write_synced
from fastpose.training.state import TrainState
from fastpose.training.step import Launched

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


def dump_failure(error: TrainingFailed, state: TrainState, step: Launched, folder: Path) -> Path:
    """Keep the whole batch and the generators' states in ``folder/step_N``, which is returned."""
    arrays = {
        name: state.world.gather(torch.from_numpy(np.ascontiguousarray(a))).numpy()
        for name, a in step.prepared.arrays.items()
    }
    kept = folder / f"step_{step.number:06d}"
    record = {
        "step": step.number,
        "stage": step.stage.name,
        "figure": error.figure,
        "value": str(error.value),
        "rng_before": {**step.rng_states, "torch": step.torch_rng.numpy().tobytes().hex()},
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

    From the phase on that was not finite nothing has changed weights (see ``Stepper``). Buffers,
    such as running statistics, are put back; what earlier phases of the step have learnt stays.

    Args:
        state: that is trained.
        limit: steps in a row that may be skipped.
    """

    def __init__(self, state: TrainState, limit: int) -> None:
        self._state, self._limit = state, limit
        self._buffers: list[Tensor] = []
        if limit:
            self._buffers = [*state.model.buffers(), *state.ema.statistics]
        # Of two steps: the next one has begun when what a step found is read.
        self._before = [[buffer.clone() for buffer in self._buffers] for _ in range(2)]

    def before_step(self, number: int) -> None:
        """Remember what step ``number`` must not have changed if it is skipped."""
        if self._buffers:
            torch._foreach_copy_(self._before[number % 2], self._buffers)

    def taken(self) -> None:
        """A step was finite."""
        self._state.skipped_in_a_row = 0

    def skip(
        self, error: TrainingFailed, number: int, values: Mapping[str, float], kept: Path
    ) -> str:
        """Undo step ``number``, which gave ``values``; what there is to say of it.

        Args:
            kept: where its batch lies.

        Raises:
            UserError: there were too many in a row, or it left weights that are not finite.
        """
        state = self._state
        spoilt = [k for k, v in values.items() if k.endswith("/weights") and not math.isfinite(v)]
        if spoilt or state.skipped_in_a_row >= self._limit:
            raise UserError(
                f"step {number}, {error}; its batch is kept in {kept}; look at it, or resume from "
                "the last checkpoint with a lower learning rate"
            )
        state.skipped += 1
        state.skipped_in_a_row += 1
        torch._foreach_copy_(self._buffers, self._before[number % 2])
        # Modules that know on the host what a buffer holds look again.
        state.model.load_state_dict({}, strict=False)
        return (
            f"step {number} skipped ({state.skipped_in_a_row} in a row, {state.skipped} in all): "
            f"{error}; its batch is kept in {kept}"
        )
