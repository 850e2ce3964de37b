"""KeypointGAN as published, and smaller settings for two CPU cores.

``keypointgan-paper`` holds the published networks, losses, weights and optimizers. What it leaves
to the data: frames come as the clips hold them (the paper removes the background with given
masks), images and poses are disjoint because they come from different places (the paper halves
each sequence), and poses are seen through the cameras of ``PriorConfig`` (there: real 2D poses).
"""

from __future__ import annotations

from dataclasses import replace

from fastpose.data.pose_prior import PriorConfig
from fastpose.models.keypoint_gan import KeypointGANConfig
from fastpose.recipes.base import Recipe
from fastpose.training.phases import OptimizerConfig, Phase, Stage


def keypointgan_stages(
    *,
    pretrain_steps: int,
    steps: int,
    pretrain_batch: int,
    batch: int,
    lr: float = 2e-4,
    **decay: float,
) -> tuple[Stage, ...]:
    """Offline pre-training of the regressor, then the three phases of the published training."""
    adam = OptimizerConfig(lr=lr)
    return (
        Stage(
            "pretrain",
            pretrain_steps,
            pretrain_batch,
            (Phase("pretrain", ("regressor",), {"poses": 1.0}, adam),),
            ("poses",),
        ),
        Stage(
            "main",
            steps,
            batch,
            (
                Phase(
                    "generator",
                    ("translator", "decoder"),
                    {"adversarial": 10.0, "perceptual": 10.0},
                    adam,
                ),
                Phase("discriminator", ("discriminator",), {"real": 0.5, "fake": 0.5}, adam),
                Phase("regressor", ("regressor",), {"images": 0.1, "poses": 0.9}, adam),
            ),
            ("frames", "poses"),
            **decay,
        ),
    )


PAPER = Recipe(
    name="keypointgan-paper",
    skeleton="h36m32",
    model=KeypointGANConfig(features="vgg19", feature_relu=False),
    prior=PriorConfig(),
    # Lengths assumed (300k to 600k at batch 16); the source trains without a limit.
    stages=keypointgan_stages(pretrain_steps=300_000, steps=300_000, pretrain_batch=16, batch=16),
    by_frames=False,
    checkpoint_every=5000,
    sheet_every=1000,
)

# For two CPU cores. Averaged weights, a decaying learning rate, and joints that may lie outside
# the picture are ours: without them the error wanders as the adversary oscillates.
SMALL = Recipe(
    name="keypointgan",
    skeleton="body18",
    model=KeypointGANConfig(image_size=64, width=16, discriminator_width=32, keypoint_extent=1.3),
    prior=PriorConfig(outside_limit=1.3),
    stages=keypointgan_stages(
        pretrain_steps=1000, steps=4000, pretrain_batch=32, batch=8, lr_final=0.0, decay_from=0.5
    ),
    precision="auto",
    ema_decay=0.995,
    checkpoint_every=500,
    sheet_every=500,
)

# For five minutes of two cores: twice the learning rate, and a loss that looks at what moves. The
# framing is that of the cameras with which ``examples/demo.py`` films its synthetic people.
DEMO = replace(
    SMALL,
    name="keypointgan-demo",
    model=replace(SMALL.model, motion_weight=1.0),
    prior=PriorConfig(
        frontal_share=0.6,
        side_share=0.3,
        pitch_sd=8.0,
        height=0.76,
        height_sd=0.07,
        top=0.13,
        top_sd=0.04,
        centre_sd=0.07,
        outside_limit=1.3,
    ),
    stages=keypointgan_stages(
        pretrain_steps=400,
        steps=1000,
        pretrain_batch=32,
        batch=8,
        lr=4e-4,
        lr_final=0.1,
        decay_from=0.5,
    ),
    ema_decay=0.99,
    checkpoint_every=300,
    sheet_every=300,
    log_every=25,
)

RECIPES = (SMALL, DEMO, PAPER)
