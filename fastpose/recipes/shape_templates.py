"""Shape templates as published, and a smaller setting for two CPU cores.

``shape-templates-paper`` holds the published training configuration: networks, losses, weights and
optimizer. What it leaves to the data: pictures come in RGB (there: BGR).
"""

from __future__ import annotations

from dataclasses import replace

from fastpose.models.shape_templates import ShapeTemplatesConfig
from fastpose.recipes.base import Augmentation, Recipe
from fastpose.templates import load_template
from fastpose.training.phases import OptimizerConfig, Phase, Stage


def template_stages(
    *,
    steps: int,
    batch: int,
    lr: float = 1e-4,
    features: float = 1.0,
    anchor: float = 0.5,
    pixel: float = 0.0,
    **decay: float,
) -> tuple[Stage, ...]:
    """The one phase of the published training; ``pixel`` weighs the picture's own error."""
    weights = {"features": features, "anchor": anchor, "boundary": 1.0, "pixel": pixel}
    phase = Phase(
        "main",
        ("detector", "translator"),
        weights,
        OptimizerConfig(lr=lr, betas=(0.9, 0.999)),
        clip_norm=None,
    )
    return (Stage("main", steps, batch, (phase,), ("frames",), **decay),)


PAPER = Recipe(
    name="shape-templates-paper",
    skeleton="",
    model=ShapeTemplatesConfig(features="vgg19"),
    prior=None,
    # About 30 epochs of 600,000 pictures, as its author says.
    stages=template_stages(steps=375_000, batch=48),
    pairs="scenes",
    checkpoint_every=5000,
    sheet_every=1000,
)

# For two CPU cores and some tens of thousands of pictures, where the paper has 18 million. All that
# differs from it is ours: heatmaps follow a person from the start, parts of one scale keep the
# body's proportions, the undeformed template starts at about the right place, and with skips the
# translator has nothing to learn of the background.
SMALL = Recipe(
    name="shape-templates",
    skeleton="",
    model=ShapeTemplatesConfig(
        template=load_template("adult"),
        image_size=64,
        regressor_width=16,
        regressor_variant="heatmaps",
        translator_width=16,
        translator_skips=True,
        transform="rigid",
        pivot="part",
        zero_head=True,
        guard=True,
    ),
    prior=None,
    stages=template_stages(
        steps=4000,
        batch=16,
        lr=1e-3,
        features=2.0,
        anchor=1.0,
        pixel=1.0,
        lr_final=0.05,
        decay_from=0.5,
    ),
    augmentation=Augmentation(flip=True, scale=0.1, shift=0.05, rotation=8.0),
    precision="auto",
    ema_decay=0.995,
    checkpoint_every=500,
    sheet_every=500,
)

INFANTS = replace(
    SMALL,
    name="shape-templates-infants",
    model=replace(SMALL.model, template=load_template("infant")),
)

RECIPES = (SMALL, INFANTS, PAPER)
