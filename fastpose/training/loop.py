"""The training loop: batch, phases, finite check, average, log, sheet, checkpoint, stop."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from fastpose.errors import UserError
from fastpose.recipes import Recipe
from fastpose.training.batches import BatchStream, Sources, make_generators, to_batch
from fastpose.training.failure import Tolerance, TrainingFailed, dump_failure
from fastpose.training.phases import Phase, Stage
from fastpose.training.precision import autocast
from fastpose.training.signals import StopSignals
from fastpose.training.state import TrainState, lr_factor


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
    augmenting = make_generators(state.rng_states)["augmentation"]
    tolerance = Tolerance(state, schedule.skip_not_finite)
    with BatchStream(
        state.stages,
        sources,
        state.rng_states,
        start=state.step,
        stop=stop,
        across=state.world,
    ) as stream:
        while state.step < stop and not signals.asked(state.world):
            stage = state.enter_stage()
            stage_step = state.position()[1]
            factor = lr_factor(stage, stage_step)
            prepared = stream.next()
            before = torch.get_rng_state()
            tolerance.before_step()
            try:
                batch = to_batch(
                    prepared.arrays,
                    state.device,
                    sources.augmentation,
                    augmenting,
                    state.world,
                )
                values = take_step(state, stage, batch, factor)
                check_finite(values)
            except TrainingFailed as error:
                kept = dump_failure(error, state, prepared, before, outputs.failed)
                outputs.log.say(tolerance.skip(error, values, kept))
            except torch.OutOfMemoryError as error:
                raise _out_of_memory(state, stage) from error
            else:
                state.step_taken(stage_step)
                state.metrics.add(values)
            state.rng_states = {
                **prepared.rng_states,
                "augmentation": dict(augmenting.bit_generator.state),
            }
            state.step += 1
            outputs.log.step_done(state, stage.batch_size)

            ended = state.at_stage_end()
            if state.metrics and (ended or due(state.step, schedule.log_every)):
                outputs.log.write(state, factor)
            if due(state.step, schedule.sheet_every) or (ended and schedule.sheet_every):
                outputs.sheet(state)
            if due(state.step, schedule.checkpoint_every) or ended:
                outputs.checkpoint(state)
                saved = state.step
    if saved != state.step:
        outputs.checkpoint(state)


def take_step(
    state: TrainState, stage: Stage, batch: dict[str, Any], factor: float
) -> dict[str, float]:
    """Run the phases of ``stage`` once.

    Nothing is read back from the device until the end. A phase whose loss or gradient is not
    finite leaves its weights and moments as they are.

    Returns:
        ``phase/loss`` for every loss the model returned, ``phase/total`` the weighted sum,
        ``phase/total/gradient`` its gradient's norm before clipping, ``phase/total/weights`` the
        norm of the weights after the update.
    """
    figures: dict[str, Tensor] = {}
    choose = getattr(state.model, "choose", None)  # a model without random choices has none
    if choose is not None:
        batch |= choose(stage.batch_size, [phase.name for phase in stage.phases])
    for phase in stage.phases:
        parameters = state.parameters_of(phase)
        optimizer = state.optimizers[phase.name]
        state.train_only(phase)
        with autocast(state.device, state.precision):
            losses = state.model.losses(batch, phase.name)  # type: ignore[operator]
            total = weighted_sum(losses, phase)
        total.backward()
        gradients = [p.grad for p in parameters if p.grad is not None]
        state.world.average_(gradients)
        norm = torch.nn.utils.get_total_norm(gradients)
        if phase.clip_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(parameters, phase.clip_norm, norm)
        for group in optimizer.param_groups:
            group["lr"] = phase.optimizer.lr * factor
        # Fused Adam reads this on the device and does nothing where it is not 0.
        optimizer.found_inf = (~torch.isfinite(total.detach() + norm)).float()  # type: ignore[attr-defined]
        optimizer.step()
        figures.update({f"{phase.name}/{k}": v.detach() for k, v in losses.items()})
        figures[f"{phase.name}/total"] = total.detach()
        figures[f"{phase.name}/total/gradient"] = norm
        figures[f"{phase.name}/total/weights"] = torch.nn.utils.get_total_norm(
            [p.detach() for p in parameters]
        )
    values = torch.stack([v.to(torch.float64) for v in figures.values()])
    state.world.average_([values])
    return dict(zip(figures, values.tolist(), strict=True))


def weighted_sum(losses: Mapping[str, Tensor], phase: Phase) -> Tensor:
    """What ``phase`` minimises; UserError where a loss it weighs is not among ``losses``."""
    missing = [name for name in phase.weights if name not in losses]
    if missing:
        raise UserError(
            f"phase '{phase.name}': weighs the loss '{missing[0]}', but the model gives only "
            f"{', '.join(losses)}"
        )
    terms = [weight * losses[name] for name, weight in phase.weights.items() if weight]
    return torch.stack(terms).sum()


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
