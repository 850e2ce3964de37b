"""A model, sources and stages small enough to train thousands of steps a second."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch import nn

from fastpose.models.base import Model
from fastpose.skeletons import SKELETONS
from fastpose.training.batches import (
    Sources,
    draw,
    initial_rng_states,
    make_generators,
    to_batch,
)
from fastpose.training.checkpoint import resume, save_checkpoint
from fastpose.training.checkpoint_folder import remove_temporaries
from fastpose.training.logging import Clock, RunLog, keep_until
from fastpose.training.loop import Outputs, Schedule, train
from fastpose.training.phases import OptimizerConfig, Phase, Stage
from fastpose.training.signals import StopSignals
from fastpose.training.state import TrainState

SKELETON = SKELETONS["limbs12"]
SIZE = 8
JOINTS = len(SKELETON.joints)
CONFIG = {"recipe": {"name": "tiny", "width": 4}, "skeleton": SKELETON.to_dict()}


class TinyModel(Model):
    """With two adversaries, batch statistics, a pool, random draws."""

    networks = ("encoder", "head", "critic")

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.skeleton, self.image_size = SKELETON, SIZE
        self.encoder = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.Flatten()
        )
        self.head = nn.Linear(width * SIZE * SIZE, JOINTS * 2)
        self.critic = nn.Linear(JOINTS * 2, 1)
        self.register_buffer("pool", torch.zeros(4, JOINTS, 2))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(images)).tanh().view(-1, JOINTS, 2)

    def losses(self, batch: MutableMapping[str, Any], phase: str) -> dict[str, torch.Tensor]:
        if phase == "poses":
            noise = torch.randn_like(batch["poses"]) * 0.1
            return {"score": (self.critic((batch["poses"] + noise).flatten(1)) ** 2).mean()}
        if phase == "detector":
            points = self(batch["target"])
            batch["_points"] = points.detach()
            fooled = ((self.critic(points.flatten(1)) - 1) ** 2).mean()
            return {"fooled": fooled, "spread": points.var(), "extra": points.abs().max()}
        slot = torch.randint(self.pool.shape[0], (1,))
        self.pool.index_copy_(0, slot, batch["_points"][:1])
        fake = (self.critic(self.pool.flatten(1)) ** 2).mean()
        real = ((self.critic(batch["poses"].flatten(1)) - 1) ** 2).mean()
        return {"fake": fake, "real": real}

    def sheet(self, batch: MutableMapping[str, Any]) -> dict[str, np.ndarray]:
        torch.rand(1)  # drawing must not disturb training, even where it draws at random
        pictures = ((batch["target"] + 1) * 127.5).round().to(torch.uint8)
        points = (self(batch["target"]) + 1) * (SIZE - 1) / 2
        return {"input": pictures.permute(0, 2, 3, 1).numpy(), "points": points.numpy()}


class RandomFrames:
    """Frames that are a function of the generator alone."""

    unusable = ()

    def sample(
        self, batch: int, rng: np.random.Generator, share: slice = slice(None)
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        frames = rng.integers(0, 256, (2, batch, SIZE, SIZE, 3), dtype=np.uint8)[:, share]
        return frames[0], frames[1], np.stack([np.arange(batch)[share]] * 2, axis=1)


class RandomPoses:
    """Poses that are a function of the generator alone."""

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return rng.uniform(-1, 1, (n, JOINTS, 2)).astype(np.float32)


SOURCES = Sources(RandomFrames(), RandomPoses())

_ADAM = OptimizerConfig(lr=1e-2)
STAGES = (
    Stage("first", 7, 5, (Phase("poses", ("critic",), {"score": 1.0}, _ADAM),), ("poses",)),
    Stage(
        "second",
        40,
        3,
        (
            Phase("detector", ("encoder", "head"), {"fooled": 1.0, "spread": -0.1}, _ADAM),
            Phase("critic", ("critic",), {"fake": 0.5, "real": 0.5}, _ADAM, clip_norm=None),
        ),
        ("frames", "poses"),
        lr_final=0.1,
        decay_from=0.5,
    ),
)


def make_state(
    seed: int = 0, *, width: int = 4, ema_decay: float = 0.9, compile: bool = False
) -> TrainState:
    """A fresh state; torch's generator is seeded as a run does."""
    torch.manual_seed(seed)
    return TrainState(TinyModel(width), STAGES, ema_decay=ema_decay, seed=seed, compile=compile)


def in_main_stage() -> tuple[TrainState, Stage]:
    """A fresh state at the beginning of the second stage, and that stage."""
    state = make_state()
    state.step = 7
    return state, state.enter_stage()


def one_batch(state: TrainState, stage: Stage) -> dict[str, torch.Tensor]:
    """Always the same."""
    arrays = draw(stage, SOURCES, make_generators(initial_rng_states(1)))
    return to_batch(arrays, state.device)


def tiny_run(
    folder: Path,
    *,
    stop: int = 47,
    log_every: int = 4,
    checkpoint_every: int = 10,
    keep: int = 3,
    state: TrainState | None = None,
    sources: Sources = SOURCES,
    signals: StopSignals | None = None,
    resumed: bool = True,
    skip: int = 0,
) -> TrainState:
    """Train in ``folder``, continuing what lies there; returns the state at ``stop``."""
    state = state or make_state()
    checkpoints = folder / "checkpoints"
    remove_temporaries(checkpoints)
    if resumed:
        resume(state, checkpoints, CONFIG)
    folder.mkdir(exist_ok=True)
    keep_until(folder / "metrics.jsonl", state.step)
    console = Console(file=open("/dev/null", "w"))  # noqa: SIM115
    with RunLog(folder, start=state.step, stop=stop, clock=Clock(), console=console) as log:
        outputs = Outputs(
            log=log,
            checkpoint=lambda s: save_checkpoint(s, checkpoints, CONFIG, keep=keep),
            sheet=lambda s: None,
            failed=folder / "failed",
        )
        schedule = Schedule(log_every, 0, checkpoint_every, skip_not_finite=skip)
        signals = signals or StopSignals()
        train(state, sources, outputs, schedule, stop=stop, signals=signals)
    return state


def all_tensors(state: TrainState) -> dict[str, torch.Tensor]:
    """Every tensor of a state by name."""
    tensors = {f"model.{k}": v for k, v in state.model.state_dict().items()}
    tensors |= {f"ema.{k}": v for k, v in state.ema.module().state_dict().items()}
    return tensors | {f"optimizer.{k}": v for k, v in state.optimizer_tensors().items()}


def differing(a: TrainState, b: TrainState) -> list[str]:
    """Names of the tensors in which two states differ in any bit.

    A state that was restored at the end of its schedule has no optimizers left to compare.
    """
    x, y = all_tensors(a), all_tensors(b)
    if not (a.optimizers and b.optimizers):
        x, y = ({n: t for n, t in z.items() if not n.startswith("optimizer.")} for z in (x, y))
    assert x.keys() == y.keys()
    return [name for name in x if not torch.equal(x[name], y[name])]
