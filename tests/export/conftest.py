"""A training run with random weights, as small as KeypointGAN goes, and its clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from fastpose.data.clips import ClipWriter
from fastpose.recipes import build_model, get_recipe, override
from fastpose.skeletons import get_skeleton
from fastpose.training.checkpoint import save_checkpoint
from fastpose.training.run_config import RunConfig
from fastpose.training.state import TrainState


def make_clips(folder: Path, *, size: int = 64, clips: int = 3, frames: int = 7) -> Path:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (clips, frames, 8, 8, 3), np.uint8)
    with ClipWriter(folder, size) as writer:
        for i in range(clips):
            writer.add(f"clip{i}", coarse[i].repeat(size // 8, 1).repeat(size // 8, 2), fps=10.0)
    return folder


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clips(tmp_path_factory.mktemp("data") / "clips")


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory, clips: Path) -> Path:
    """RUN with a config and the checkpoint of step 0; its averaged weights differ from the last."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    folder.mkdir()
    settings = ("model.width=4", "model.discriminator_width=4", "model.pool_size=2")
    recipe = override(get_recipe("keypointgan"), settings)
    skeleton = get_skeleton(recipe.skeleton)
    torch.manual_seed(0)
    state = TrainState(
        build_model(recipe, skeleton), recipe.stages, ema_decay=recipe.ema_decay, seed=0
    )
    with torch.no_grad():
        for parameter in state.model.parameters():
            parameter += 0.1  # the average keeps what it started with
    config = RunConfig(recipe, recipe, skeleton, clips, (), "cpu", 1, 1)
    config.save(folder)
    save_checkpoint(state, folder / "checkpoints", config.of_checkpoint())
    return folder
