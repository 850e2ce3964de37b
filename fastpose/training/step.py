"""One training step: every phase once, on the device alone.

Nothing of it waits for the device. Learning rates and the average's weight are handed over as
tensors; whether a step was finite is noted on the device, where it withholds every later update;
and what a step found is copied to the host while the next one runs. So a step can also be one CUDA
graph (see ``cuda_graph``); on CPUs the very same code runs step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fastpose.errors import UserError
from fastpose.training.batches import Prepared
from fastpose.training.cuda_graph import ON_GPU, Graphs, Replay
from fastpose.training.device import to_device
from fastpose.training.phases import ON, Phase, Stage
from fastpose.training.precision import autocast
from fastpose.training.state import TrainState, lr_factor

Batch = dict[str, Tensor]
WARM_UP = 3  # steps before a graph is made: what is allocated and chosen at first is there then


class Figures:
    """What a step found, on its way to the host.

    Args:
        names: of the values.
        values: (n,) float64, of a step that may not have run yet.
    """

    def __init__(self, names: tuple[str, ...], values: Tensor) -> None:
        self._names, self._done = names, None
        self._host = torch.empty(values.shape, dtype=values.dtype, pin_memory=values.is_cuda)
        self._host.copy_(values, non_blocking=True)
        if values.is_cuda:
            self._done = torch.cuda.Event()
            self._done.record()

    def read(self) -> dict[str, float]:
        """The values by name; waits for the step, and for no later one."""
        if self._done is not None:
            self._done.synchronize()
        return dict(zip(self._names, self._host.tolist(), strict=True))


@dataclass
class Launched:
    """A step that has been begun, with all that is needed to begin it again, or to keep it.

    Attributes:
        number: from 1.
        stage, stage_step: where it belongs; its place in the stage counts from 0.
        prepared: the batch as drawn.
        batch: as the model was given it.
        torch_rng, rng_states: of the generators before it.
        figures: what it found.
    """

    number: int
    stage: Stage
    stage_step: int
    prepared: Prepared
    batch: Batch
    torch_rng: Tensor
    rng_states: dict[str, dict[str, Any]]
    figures: Figures


class Stepper:
    """Takes the steps of ``state``, one after the other, without waiting for them.

    Args:
        state: what is trained; its ``cuda_graph`` says whether steps become graphs.
        say: told why steps that could be graphs are not.
        graphs: how they are made.
    """

    def __init__(
        self, state: TrainState, say: Callable[[str], None], graphs: Graphs = ON_GPU
    ) -> None:
        self._state, self._say, self._graphs = state, say, graphs
        self.broken = torch.zeros((), dtype=torch.bool, device=state.device)
        self._controls = torch.zeros(2, dtype=torch.float64, device=state.device)
        self._names: tuple[str, ...] = ()
        self._wanted = state.wants_graph()
        self._optimizers: Any = None  # of the stage that the graph belongs to
        self._inputs: Batch = {}
        self._taken = 0
        self._replay: Replay | None = None

    def take(self, stage: Stage, stage_step: int, batch: Mapping[str, Tensor]) -> Figures:
        """Begin a step of ``stage``.

        Where it is not finite, or an earlier one was not and :meth:`mend` was not called, weights,
        moments and averages stay as they are. Buffers may change.

        Returns:
            ``phase/loss`` for every loss the model returned, ``phase/total`` the weighted sum,
            ``phase/total/gradient`` its gradient's norm before clipping, ``phase/total/weights``
            the norm of the weights after the update.
        """
        state = self._state
        batch = dict(batch)
        choices = state.model.choose(stage.batch_size, [phase.name for phase in stage.phases])
        batch |= {name: to_device(t, state.device) for name, t in choices.items()}
        controls = [lr_factor(stage, stage_step), state.ema.weight(stage_step)]
        controls = torch.tensor(controls, dtype=torch.float64)
        self._controls.copy_(to_device(controls, state.device))
        values = self._graphed(stage, batch) if self._wanted else self._run(stage, batch)
        return Figures(self._names, values)

    def mend(self) -> None:
        """Let steps change weights again after one that was not finite."""
        self.broken.zero_()

    def _graphed(self, stage: Stage, batch: Batch) -> Tensor:
        if self._state.optimizers is not self._optimizers:  # another stage
            self._optimizers, self._taken, self._replay = self._state.optimizers, 0, None
            self._inputs = {name: tensor.clone() for name, tensor in batch.items()}
        for name, tensor in batch.items():
            self._inputs[name].copy_(tensor)
        if self._replay is None and self._taken == WARM_UP:
            self._record(stage)
        if self._replay is not None:
            return self._replay()
        self._taken += 1
        return self._graphs.warm_up(lambda: self._run(stage, dict(self._inputs)))

    def _record(self, stage: Stage) -> None:
        try:
            self._replay = self._graphs.capture(lambda: self._run(stage, dict(self._inputs)))
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            reason = str(error).splitlines()[0][:200]
            if self._state.cuda_graph == ON:
                raise UserError(f"cuda_graph: a step cannot be one graph ({reason})") from error
            self._wanted = False
            self._say(f"note: a step is not one CUDA graph: {reason}")

    def _run(self, stage: Stage, batch: Batch) -> Tensor:
        state, world = self._state, self._state.world
        factor, ema_weight = self._controls.unbind()
        figures: Batch = {}
        for phase in stage.phases:
            parameters = state.train_only(phase)
            optimizer = state.optimizers[phase.name]
            with autocast(state.device, state.precision):
                losses = state.model.losses(batch, phase.name)
                total = weighted_sum(losses, phase)
            total.backward()
            gradients = [p.grad for p in parameters if p.grad is not None]
            whole = total.detach().clone()
            world.average_([*gradients, whole])
            norm = torch.nn.utils.get_total_norm(gradients)
            if phase.clip_norm is not None:
                torch.nn.utils.clip_grads_with_norm_(parameters, phase.clip_norm, norm)
            optimizer.param_groups[0]["lr"].copy_(factor * phase.optimizer.lr)
            # Fused Adam reads this on the device and does nothing where it is not 0.
            self.broken.logical_or_(~torch.isfinite(whole + norm))
            optimizer.found_inf = self.broken.float()  # type: ignore[attr-defined]
            optimizer.step()
            figures.update({f"{phase.name}/{k}": v.detach() for k, v in losses.items()})
            figures[f"{phase.name}/total"] = total.detach()
            figures[f"{phase.name}/total/gradient"] = norm
            figures[f"{phase.name}/total/weights"] = torch.nn.utils.get_total_norm(
                [p.detach() for p in parameters]
            )
        self._names = tuple(figures)
        values = torch.stack([v.to(torch.float64) for v in figures.values()])
        world.average_([values])
        self.broken.logical_or_(~torch.isfinite(values).all())
        state.follow(ema_weight * ~self.broken)
        return values


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
