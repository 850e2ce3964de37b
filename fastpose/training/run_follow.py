"""What every process but the first does in a run: the same steps, and no writing."""

from __future__ import annotations

from pathlib import Path

import torch
from rich.console import Console

from fastpose.training.checkpoint import CHECKPOINTS, restore_checkpoint
from fastpose.training.checkpoint_folder import folder_name
from fastpose.training.loop import Outputs, Schedule, train
from fastpose.training.run_config import RunConfig
from fastpose.training.run_start import open_all
from fastpose.training.signals import StopSignals
from fastpose.training.state import TrainState
from fastpose.training.world import World


class _SilentLog:
    """Takes the place of ``RunLog``."""

    def say(self, message: str) -> None:
        pass

    def step_done(self, state: TrainState, batch_size: int) -> None:
        pass

    def write(self, state: TrainState, lr_factor: float) -> None:
        state.metrics.clear()


def _wait(state: TrainState) -> None:
    """While the first process writes a checkpoint."""
    state.require_same()
    state.world.agree()


def follow(
    run: Path, device: torch.device, world: World, *, steps: int | None
) -> tuple[int, int, int]:
    """Train as the first process of ``world`` says; it leads.

    Returns:
        The step reached, the whole schedule's steps, and the exit code.

    Raises:
        UserError: as in the first process; or it has ended; or ``run`` cannot be read here.
    """
    config = RunConfig.from_dict(world.tell())
    with open("/dev/null", "w") as nowhere:
        opened = open_all(config, run, device, world, Console(file=nowhere))
    state, sources = opened.state, opened.sources
    step = world.tell()
    if step is None:
        _wait(state)
    else:
        folder = run / CHECKPOINTS / folder_name(step)
        restore_checkpoint(state, folder, config.of_checkpoint())
    with StopSignals() as signals:
        outputs = Outputs(_SilentLog(), _wait, lambda s: None, run / "failed")
        stop = state.total_steps if steps is None else min(steps, state.total_steps)
        train(state, sources, outputs, Schedule.of(config.recipe), stop=stop, signals=signals)
    world.agree()  # the first one has written its last
    return state.step, state.total_steps, signals.exit_code
