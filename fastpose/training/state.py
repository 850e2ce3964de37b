"""Everything that must survive from one training step to the next, in one object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fastpose.errors import UserError, nearest
from fastpose.models.base import Model
from fastpose.training.batches import SOURCES, RngStates, initial_rng_states, stage_at
from fastpose.training.compiled import compile_networks
from fastpose.training.ema import Ema
from fastpose.training.metrics import MetricSums
from fastpose.training.phases import OFF, ON, SYNCHRONISED, OptimizerConfig, Phase, Stage
from fastpose.training.world import SINGLE, World, attach


def lr_factor(stage: Stage, stage_step: int) -> float:
    """Factor on the learning rates at ``stage_step`` (from 0): 1, then linear to ``lr_final``."""
    first = stage.decay_from * stage.steps
    if stage_step <= first:
        return 1.0
    share = (stage_step - first) / (stage.steps - first)
    return 1.0 + share * (stage.lr_final - 1.0)


def check_stages(model: Model, stages: Sequence[Stage], processes: int = 1) -> None:
    """UserError where a stage asks for what ``model`` or the loop does not have."""
    if sum(stage.steps for stage in stages) < 1 or any(stage.steps < 0 for stage in stages):
        raise UserError("the recipe's stages must have 0 or more steps each, 1 or more in all")
    children = dict(model.named_children())
    for stage in stages:
        where = f"stage '{stage.name}'"
        if stage.batch_size < 1:
            raise UserError(f"{where}: batch_size must be 1 or more, not {stage.batch_size}")
        if stage.batch_size % processes:
            raise UserError(
                f"{where}: {processes} processes cannot share its batch_size {stage.batch_size} "
                f"equally; start a number that divides it, or --set stages.{stage.name}."
                f"batch_size={-(-stage.batch_size // processes) * processes}"
            )
        if not 0.0 <= stage.decay_from <= 1.0:
            raise UserError(f"{where}: decay_from must lie in [0, 1], not {stage.decay_from}")
        if not stage.needs or set(stage.needs) - set(SOURCES):
            raise UserError(f"{where}: needs must name {SOURCES}, not {tuple(stage.needs)}")
        names = [phase.name for phase in stage.phases]
        if not names or len(set(names)) != len(names):
            raise UserError(f"{where}: needs phases of different names, not {names}")
        for phase in stage.phases:
            if not phase.modules or not any(phase.weights.values()):
                raise UserError(f"{where}, phase '{phase.name}': needs modules and loss weights")
            for module in phase.modules:
                if module not in children:
                    hint = nearest(module, children)
                    raise UserError(
                        f"{where}, phase '{phase.name}': the model has no module '{module}'{hint}"
                    )


def _make_optimizer(parameters: list[nn.Parameter], config: OptimizerConfig) -> torch.optim.Adam:
    # Fused: one pass over each tensor, and the update can be withheld on the device (loop.py).
    # The learning rate is a tensor, so that a graph can be given another one; GPUs read a float.
    device = parameters[0].device
    exact = torch.float32 if device.type == "cuda" else torch.float64
    return torch.optim.Adam(
        parameters,
        lr=torch.tensor(config.lr, dtype=exact, device=device),
        betas=config.betas,
        weight_decay=config.weight_decay,
        fused=True,
        capturable=device.type == "cuda",
    )


class TrainState:
    """Modules, optimizers, average, random generators, metric sums and the place in the schedule.

    Image pools, running means and the like are buffers of the model. Optimizers belong to a stage
    and start fresh with it.

    Args:
        model: moved to ``device``, channels-last.
        stages: the schedule.
        ema_decay: see :class:`fastpose.training.ema.Ema`.
        precision: see ``fastpose.training.precision``.
        seed: of the generators that draw batches.
        device: where to train.
        world: the processes that train it together.
        batch_norm, cuda_graph, compile: see ``fastpose.recipes.base.Recipe``.

    Raises:
        UserError: a stage does not fit the model, or the processes; ``cuda_graph`` is "on" where
            there can be none; nothing can be compiled here.
    """

    def __init__(
        self,
        model: Model,
        stages: Sequence[Stage],
        *,
        ema_decay: float,
        precision: str = "float32",
        seed: int,
        device: torch.device | str = "cpu",
        world: World = SINGLE,
        batch_norm: str = SYNCHRONISED,
        cuda_graph: str = OFF,
        compile: bool = False,
    ) -> None:
        check_stages(model, stages, world.processes)
        self.device, self.cuda_graph = torch.device(device), cuda_graph
        if cuda_graph == ON and not self._can_graph(world):
            raise UserError("cuda_graph=on: a step is a CUDA graph on one GPU alone; say auto")
        self.precision = precision
        self.stages = tuple(stages)
        self.total_steps = sum(stage.steps for stage in stages)
        self.model = model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.model.train().requires_grad_(False)
        self.world = world
        self._local_statistics = attach(self.model, world, batch_norm=batch_norm)
        self.ema = Ema(self.model, ema_decay)
        if compile:
            compile_networks(self.model, self.device)
        self.step = 0
        self.rng_states: RngStates = initial_rng_states(seed)
        self.metrics = MetricSums()
        self.skipped = self.skipped_in_a_row = 0  # steps that were not finite; see failure.py
        self.optimizers: dict[str, torch.optim.Adam] = {}
        self._trained: dict[str, list[nn.Parameter]] = {}
        self._entered = -1

    def _can_graph(self, world: World) -> bool:
        return self.device.type == "cuda" and world.processes == 1

    def wants_graph(self) -> bool:
        """Whether steps are to be CUDA graphs."""
        return self.cuda_graph != OFF and self._can_graph(self.world)

    def rewind(self, step: int) -> None:
        """Make ``step`` the next one; its optimizers are made when its stage is entered."""
        self.step, self._entered = step, -1
        self.optimizers, self._trained = {}, {}

    def last_stage(self) -> Stage:
        """The stage of the last step taken, or the first one."""
        return self.stages[stage_at(self.stages, max(0, self.step - 1))[0]]

    def position(self) -> tuple[int, int]:
        """Index of the stage of the next step, and that step's place within it."""
        return stage_at(self.stages, self.step)

    def enter_stage(self) -> Stage:
        """The stage of the next step; makes its optimizers where it has just begun."""
        index, _ = self.position()
        stage = self.stages[index]
        if index != self._entered:
            self.model.requires_grad_(False)
            self._trained = {phase.name: self.parameters_of(phase) for phase in stage.phases}
            self.optimizers = {
                phase.name: _make_optimizer(self._trained[phase.name], phase.optimizer)
                for phase in stage.phases
            }
            self._entered = index
        return stage

    def parameters_of(self, phase: Phase) -> list[nn.Parameter]:
        """What ``phase`` trains."""
        modules = [self.model.get_submodule(name) for name in phase.modules]
        return [parameter for module in modules for parameter in module.parameters()]

    def train_only(self, phase: Phase) -> list[nn.Parameter]:
        """Let only the parameters of ``phase`` take gradients, so that no other's are computed.

        Returns:
            Those parameters.
        """
        trained = self._trained[phase.name]
        mine = {id(p) for p in trained}
        for parameters in self._trained.values():
            for parameter in parameters:
                parameter.requires_grad_(id(parameter) in mine)
                parameter.grad = None
        return trained

    def at_stage_end(self) -> bool:
        """Whether the last step taken was the last of its stage."""
        if self.step >= self.total_steps:
            return True
        return self.step > 0 and self.position()[1] == 0

    def follow(self, weight: Tensor) -> None:
        """Move the average towards the model after a step; ``weight``: see :meth:`Ema.update`."""
        self.world.average_(self._local_statistics)
        self.ema.update(weight)

    def require_same(self) -> None:
        """UserError where a tensor has come to differ between the processes."""
        if self.world.processes > 1:
            averages = {f"average of {k}": v for k, v in self.ema.module().state_dict().items()}
            tensors = self.model.state_dict() | self.optimizer_tensors()
            self.world.require_same(tensors | averages)

    def optimizer_tensors(self) -> dict[str, Tensor]:
        """Every tensor of the optimizers as ``phase/parameter/quantity``."""
        tensors = {}
        for phase, optimizer in self.optimizers.items():
            for name, parameter in self._named(phase):
                for key, value in optimizer.state.get(parameter, {}).items():
                    tensors[f"{phase}/{name}/{key}"] = value
        return tensors

    def _named(self, phase: str) -> list[tuple[str, nn.Parameter]]:
        mine = {id(p) for p in self._trained[phase]}
        return [(n, p) for n, p in self.model.named_parameters() if id(p) in mine]

    def load_optimizer_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Inverse of :meth:`optimizer_tensors` for the stage of the next step.

        Raises:
            UserError: the schedule is over, or a tensor is left over, missing, or of another shape
                than its parameter.
        """
        if self.step >= self.total_steps:
            raise UserError("optimizer: its schedule is over, no tensors were expected")
        self.enter_stage()
        left = dict(tensors)
        for phase, optimizer in self.optimizers.items():
            for name, parameter in self._named(phase):
                state: dict[str, Any] = {}
                for key in ("step", "exp_avg", "exp_avg_sq"):
                    value = left.pop(f"{phase}/{name}/{key}", None)
                    if value is not None:
                        state[key] = _restored(f"{phase}/{name}/{key}", value, key, parameter)
                if state and len(state) != 3:
                    raise UserError(f"optimizer of '{phase}/{name}': incomplete, has {list(state)}")
                if state:
                    optimizer.state[parameter] = state
        if left:
            raise UserError(f"optimizer: no parameter for '{min(left)}' in this stage")


def _restored(name: str, value: Tensor, key: str, parameter: nn.Parameter) -> Tensor:
    like = torch.zeros((), device=parameter.device) if key == "step" else parameter.detach()
    if value.shape != like.shape or value.dtype != torch.float32:
        raise UserError(
            f"optimizer '{name}': expected float32 {tuple(like.shape)}, "
            f"found {value.dtype} {tuple(value.shape)}"
        )
    # Same strides as the parameter: sums over the elements keep their order, and so their bits.
    return torch.empty_like(like).copy_(value)
