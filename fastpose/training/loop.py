"""The training loop: batch, phases, finite check, average, log, sheet, checkpoint, stop."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from fastpose.errors import UserError
from fastpose.recipes import Recipe
from fastpose.training.batches import (
    BatchStream,
    Prepared,
    Sources,
    make_generators,
    to_batch,
)
from fastpose.training.failure import Tolerance, TrainingFailed, dump_failure
from fastpose.training.phases import Stage
from fastpose.training.signals import StopSignals
from fastpose.training.state import TrainState, lr_factor
from fastpose.training.step import Launched, Stepper


@dataclass(frozen=True)
class Schedule:
    """How often, in steps, a run speaks, draws and saves.

    0: at the ends of stages alone, and no sheets at all.

    Attributes:
        log_every: a line of ``metrics.jsonl``.
        sheet_every: a sample sheet.
        checkpoint_every: a checkpoint; one is also written at each stage's end and when stopping.
        skip_not_finite: see ``fastpose.recipes.base.Recipe``; 0: none.
    """

    log_every: int = 50
    sheet_every: int = 500
    checkpoint_every: int = 500
    skip_not_finite: int = 0

    @classmethod
    def of(cls, recipe: Recipe) -> Schedule:
        """That of ``recipe``."""
        return cls(
            recipe.log_every, recipe.sheet_every, recipe.checkpoint_every, recipe.skip_not_finite
        )


class Log(Protocol):
    """What the loop tells of its progress; see ``fastpose.training.logging``."""

    def say(self, message: str, /) -> None: ...

    def step_done(self, state: TrainState, batch_size: int, /) -> None: ...

    def write(self, state: TrainState, lr_factor: float, /) -> None: ...


@dataclass(frozen=True)
class Outputs:
    """What the loop calls to write; each may fail with a UserError.

    Attributes:
        log: such as a ``RunLog``.
        checkpoint: saves the state.
        sheet: draws it.
        failed: folder in which a batch that broke training is kept.
    """

    log: Log
    checkpoint: Callable[[TrainState], Any]
    sheet: Callable[[TrainState], Any]
    failed: Path


def due(step: int, every: int) -> bool:
    """Whether something that is done ``every`` so many steps is due after ``step`` steps."""
    return every > 0 and step % every == 0


def train(
    state: TrainState,
    sources: Sources,
    outputs: Outputs,
    schedule: Schedule,
    *,
    stop: int,
    signals: StopSignals,
) -> None:
    """Train ``state`` until ``stop`` steps are done in all, or a signal asks to stop.

    Raises:
        UserError: a loss or gradient is not finite in more steps than may be skipped, or a disk is
            full.
    """
    saved = state.step
    steps = _Steps(state, sources, outputs, schedule)
    with BatchStream(
        state.stages,
        sources,
        state.rng_states,
        start=state.step,
        stop=stop,
        across=state.world,
    ) as stream:
        while state.step < stop and not signals.asked(state.world):
            steps.begin(stream.next())
            stage_step = steps.waiting[-1].stage_step
            stage = steps.waiting[-1].stage
            ended = state.at_stage_end()
            logs = ended or due(state.step, schedule.log_every)
            draws = due(state.step, schedule.sheet_every) or (ended and schedule.sheet_every)
            saves = ended or due(state.step, schedule.checkpoint_every)
            # One step is read while the next one runs, but for those that something is made of.
            steps.end(keep=0 if logs or draws or saves else 1)
            if logs and state.metrics:
                outputs.log.write(state, lr_factor(stage, stage_step))
            if draws:
                outputs.sheet(state)
            if saves:
                outputs.checkpoint(state)
                saved = state.step
        steps.end()
    if saved != state.step:
        outputs.checkpoint(state)


class _Steps:
    """Begins steps, and ends them once it is known what they found."""

    def __init__(
        self, state: TrainState, sources: Sources, outputs: Outputs, schedule: Schedule
    ) -> None:
        self._state, self._sources, self._outputs = state, sources, outputs
        self._mirror = sources.keypoints.mirror if sources.keypoints is not None else ()
        self._augmenting = make_generators(state.rng_states)["augmentation"]
        self._tolerance = Tolerance(state, schedule.skip_not_finite)
        self._stepper = Stepper(state, outputs.log.say)
        self.waiting: list[Launched] = []

    def begin(self, prepared: Prepared) -> None:
        """Begin the next step with a batch as drawn."""
        state, augmenting = self._state, self._augmenting
        stage, stage_step = state.enter_stage(), state.position()[1]
        torch_rng, rng_states = torch.get_rng_state(), state.rng_states
        try:
            batch = to_batch(
                prepared.arrays,
                state.device,
                self._sources.augmentation,
                augmenting,
                state.world,
                self._mirror,
            )
            number = state.step + 1
            self._tolerance.before_step(number)
            figures = self._stepper.take(stage, stage_step, batch)
        except torch.OutOfMemoryError as error:
            raise _out_of_memory(state, stage) from error
        self.waiting.append(
            Launched(number, stage, stage_step, prepared, batch, torch_rng, rng_states, figures)
        )
        state.rng_states = {
            **prepared.rng_states,
            "augmentation": dict(augmenting.bit_generator.state),
        }
        state.step += 1
        self._outputs.log.step_done(state, stage.batch_size)

    def end(self, keep: int = 0) -> None:
        """Read all steps that wait but the last ``keep``."""
        while len(self.waiting) > keep:
            step = self.waiting.pop(0)
            values = step.figures.read()
            try:
                check_finite(values)
            except TrainingFailed as error:
                self._skip(error, step, values)
            else:
                self._tolerance.taken()
                self._state.metrics.add(values)

    def _skip(self, error: TrainingFailed, step: Launched, values: Mapping[str, float]) -> None:
        kept = dump_failure(error, self._state, step, self._outputs.failed)
        self._outputs.log.say(self._tolerance.skip(error, step.number, values, kept))
        self._stepper.mend()
        for later in self.waiting:  # it has begun, and changed no weights
            torch.set_rng_state(later.torch_rng)
            self._tolerance.before_step(later.number)
            later.figures = self._stepper.take(later.stage, later.stage_step, later.batch)


def check_finite(values: Mapping[str, float]) -> None:
    """TrainingFailed naming the first figure of a step that is NaN or infinite."""
    for name, value in values.items():
        if not math.isfinite(value):
            raise TrainingFailed(name, value)


def _out_of_memory(state: TrainState, stage: Stage) -> UserError:
    peak = ""
    if state.device.type == "cuda":
        peak = f", {torch.cuda.max_memory_allocated(state.device) >> 20} MiB at the peak"
    shared = f" in {state.world.processes} processes" if state.world.processes > 1 else ""
    return UserError(
        f"stage '{stage.name}': out of memory at batch size {stage.batch_size}{shared}{peak}; "
        "choose a smaller batch size, model width or image size"
    )
