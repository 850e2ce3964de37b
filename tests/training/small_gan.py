"""KeypointGAN at its smallest, in its main stage, with a batch."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

from fastpose.models.keypoint_gan import KeypointGAN, KeypointGANConfig
from fastpose.recipes.keypointgan import keypointgan_stages
from fastpose.skeletons import get_skeleton
from fastpose.training.phases import Stage
from fastpose.training.state import TrainState


def keypoint_gan(**options: Any) -> tuple[TrainState, Stage, dict[str, Tensor]]:
    """A state at the beginning of that stage, the stage, and pictures of noise.

    Args:
        options: of ``TrainState``.
    """
    torch.manual_seed(0)
    config = KeypointGANConfig(
        image_size=64, width=2, discriminator_width=2, pool_size=3, motion_weight=1.0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = KeypointGAN(config, get_skeleton("limbs12"))
    stages = keypointgan_stages(pretrain_steps=0, steps=20, pretrain_batch=2, batch=2)
    state = TrainState(model, stages, ema_decay=0.9, seed=0, **options)
    source = torch.Generator().manual_seed(1)
    pictures = torch.rand(2, 2, 3, 64, 64, generator=source) * 2 - 1
    poses = torch.rand(2, 12, 2, generator=source) * 1.6 - 0.8
    batch = {"target": pictures[0], "other": pictures[1], "poses": poses}
    return state, state.enter_stage(), {k: v.to(state.device) for k, v in batch.items()}
