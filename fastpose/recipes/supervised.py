"""The supervised baseline, for two CPU cores; all values but the network's form are ours."""

from __future__ import annotations

from fastpose.models.supervised import SupervisedConfig
from fastpose.recipes.base import Augmentation, Recipe
from fastpose.training.phases import OptimizerConfig, Phase, Stage

SMALL = Recipe(
    name="supervised",
    skeleton="body18",
    model=SupervisedConfig(image_size=64, width=16, keypoint_extent=1.3),
    prior=None,
    stages=(
        Stage(
            "main",
            4000,
            16,
            (Phase("main", ("detector",), {"points": 1.0}, OptimizerConfig(lr=1e-3)),),
            ("keypoints",),
            lr_final=0.01,
            decay_from=0.3,
        ),
    ),
    augmentation=Augmentation(flip=True, scale=0.1, shift=0.03, rotation=8.0),
    precision="auto",
    ema_decay=0.99,
    checkpoint_every=500,
    sheet_every=500,
)

RECIPES = (SMALL,)
