"""2D joints to 3D, learnt from motion capture, and in the three stages of the published one."""

from __future__ import annotations

from dataclasses import replace

from fastpose.data.pose_prior import PriorConfig
from fastpose.models.lifting import LiftingConfig
from fastpose.recipes.base import Recipe
from fastpose.training.phases import OptimizerConfig, Phase, Stage


def lifting_stage(name: str, need: str, steps: int, lr: float, batch: int) -> Stage:
    """The one phase of the published training on one source."""
    modules = ("first", "blocks", "last")
    adam = OptimizerConfig(lr=lr, betas=(0.9, 0.999))
    phase = Phase("main", modules, {"positions": 1.0}, adam)
    return Stage(name, steps, batch, (phase,), (need,), lr_final=0.01, decay_from=0.0)


# Poses wherever they lie and however they are turned: unlike a pose in a picture, one in space is
# not known by its framing.
BODIES = PriorConfig(outside_limit=0.0, frontal_share=0.0, side_share=0.0, height_sd=0.1)

# Wider than needed for two CPU cores: 256 is as good on what motion capture there is (ours).
SMALL = Recipe(
    name="lifting",
    skeleton="h36m17",
    model=LiftingConfig(width=256, dropout=0.1),
    prior=BODIES,
    stages=(lifting_stage("adults", "bodies", 4000, 1e-3, 256),),
    checkpoint_every=1000,
    log_every=100,
)

# Published: learning rates, batch and order. Lengths are assumed: there, until nothing improves.
PAPER = replace(
    SMALL,
    name="lifting-paper",
    model=LiftingConfig(),
    stages=(
        lifting_stage("adults", "bodies", 60_000, 1e-3, 64),
        lifting_stage("target", "labelled", 5_000, 1e-2, 64),
        lifting_stage("predicted", "detected", 5_000, 1e-2, 64),
    ),
)

RECIPES = (SMALL, PAPER)
