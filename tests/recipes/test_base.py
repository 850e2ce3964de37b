"""Recipes are data: overridden, written down, read back, refused with the field's name."""

from __future__ import annotations

import dataclasses
import json

import pytest

from fastpose.errors import UserError
from fastpose.recipes import (
    RECIPES,
    Recipe,
    build_model,
    get_recipe,
    override,
    recipe_from_dict,
    recipe_to_dict,
)
from fastpose.recipes.base import Augmentation
from fastpose.training.batches import SOURCES


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())
def test_recipes_survive_json(recipe: Recipe) -> None:
    assert recipe_from_dict(json.loads(json.dumps(recipe_to_dict(recipe)))) == recipe


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())
def test_phases_name_modules_and_losses_that_the_model_has(recipe: Recipe) -> None:
    widths = [f for f in dataclasses.asdict(recipe.model) if f.endswith("width")]
    small = override(recipe, [f"model.{width}=2" for width in widths])
    model = build_model(small, recipe.target, for_training=False)
    for stage in recipe.stages:
        assert set(stage.needs) <= set(SOURCES)
        for phase in stage.phases:
            for module in phase.modules:
                assert any(True for _ in getattr(model, module).parameters())


def test_the_published_values() -> None:
    """Spec section 16."""
    recipe = get_recipe("keypointgan-paper")
    model, main = recipe.model, recipe.stages[1]
    assert (model.image_size, model.width, model.sharpness, model.pool_size) == (128, 32, 25.0, 50)
    assert (model.features, model.feature_relu, model.keypoint_extent) == ("vgg19", False, 1.0)
    assert recipe.skeleton == "h36m32" and main.batch_size == 16
    generator, discriminator, regressor = main.phases
    assert generator.weights == {"adversarial": 10.0, "perceptual": 10.0}
    assert discriminator.weights == {"real": 0.5, "fake": 0.5}
    assert regressor.weights == {"images": 0.1, "poses": 0.9}
    for phase in main.phases:
        assert phase.optimizer.lr == 2e-4 and phase.optimizer.betas == (0.5, 0.999)
        assert phase.clip_norm == 1.0
    assert recipe.augmentation == Augmentation() and recipe.ema_decay == 0.0
    assert (recipe.min_gap, recipe.max_gap) == (0, 1000)


def test_override_reaches_every_level() -> None:
    recipe = override(
        get_recipe("keypointgan"),
        [
            "seed=7",
            "model.width=8",
            "model.feature_weights=a b.pth",
            "augmentation.flip=false",
            "stages.main.steps=12",
            "stages.main.generator.weights.perceptual=3",
            "stages.main.phases.regressor.optimizer.lr=1e-3",
            'prior.actions=["walk","run"]',
        ],
    )
    main = recipe.stages[1]
    assert (recipe.seed, recipe.model.width, main.steps) == (7, 8, 12)
    assert recipe.model.feature_weights == "a b.pth"
    assert recipe.augmentation.flip is False
    assert main.phases[0].weights["perceptual"] == 3.0
    assert main.phases[2].optimizer.lr == 1e-3
    assert recipe.prior.actions == ("walk", "run")
    assert override(recipe, ["model.feature_weights=null"]).model.feature_weights is None


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("model.wdth=8", "did you mean 'width'"),
        ("modle.width=8", "did you mean 'model'"),
        ("stages.man.steps=3", "did you mean 'main'"),
        ("stages.main.generator.weights.perceptuel=1", "did you mean 'perceptual'"),
        ("stages.main.generater.clip_norm=1", "no field"),
        ("model.width=wide", "expected int"),
        ("model.width=1.5", "expected int"),
        ("model.width=true", "expected int"),
        ("augmentation.flip=1", "expected bool"),
        ("model.width", "key=value"),
        ("=3", "key=value"),
        ("model=3", "one field of it"),
        ("stages=3", "one field of it"),
        ("name=x", "one field of it"),
        ("seed.x=3", "no fields of its own"),
        ("model.image_size=100", "model.image_size"),
        ("ema_decay=1.0", "ema_decay"),
        ("min_gap=2000", "min_gap"),
        ("log_every=-1", r"log_every: expected 0 \(never\)"),
        ("keep_checkpoints=0", "keep_checkpoints"),
        ("skip_not_finite=4", "skip_not_finite: expected 0 to 3"),
        ("batch_norm=both", "batch_norm: expected one of synchronised, local"),
        ("augmentation.scale=-1", "augmentation.scale"),
        ("prior.frontal_share=2", "frontal_share"),
    ],
)
def test_wrong_overrides_are_one_line_that_names_the_field(pair: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        override(get_recipe("keypointgan"), [pair])
    assert "\n" not in str(caught.value)


def test_unknown_recipes_get_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'keypointgan'"):
        get_recipe("keypointgam")


@pytest.mark.parametrize("damage", [{"modle": {}}, {"model": 3}, {"stages": [{"name": "a"}]}])
def test_a_damaged_description_is_named(damage: dict) -> None:
    data = {**recipe_to_dict(get_recipe("keypointgan")), **damage}
    with pytest.raises(UserError, match="recipe"):
        recipe_from_dict(data)


@pytest.mark.parametrize("order", [1, -1])
def test_fields_that_must_fit_each_other_may_come_in_any_order(order: int) -> None:
    pairs = ["prior.fit=table.npz", "prior.framing=fitted", "min_gap=1500", "max_gap=2000"]
    recipe = override(get_recipe("keypointgan"), pairs[::order])
    assert recipe.prior.framing == "fitted"
    assert (recipe.min_gap, recipe.max_gap) == (1500, 2000)


def test_a_recipe_is_written_down_with_its_system() -> None:
    data = recipe_to_dict(get_recipe("shape-templates"))
    assert data["system"] == "shape-templates" and data["prior"] is None
    assert len(data["model"]["template"]["parts"]) == 19
    for wrong in ({**data, "system": "other"}, {k: v for k, v in data.items() if k != "system"}):
        with pytest.raises(UserError, match=r"recipe\.system: expected one of keypointgan, shape"):
            recipe_from_dict(wrong)
    with pytest.raises(UserError, match=r"recipe\.model: no field 'width'"):
        recipe_from_dict({**data, "model": {"width": 3}})


def test_a_template_is_set_by_name() -> None:
    recipe = override(get_recipe("shape-templates"), ["model.template=infant"])
    assert recipe.target.joints == recipe.model.template.skeleton.joints  # type: ignore[union-attr]
    assert recipe_from_dict(recipe_to_dict(recipe)) == recipe
    with pytest.raises(UserError, match="template 'baby': expected one of"):
        override(get_recipe("shape-templates"), ["model.template=baby"])


def test_a_recipe_says_what_it_detects_once() -> None:
    with pytest.raises(UserError, match="skeleton: must be empty with a shape template"):
        override(get_recipe("shape-templates"), ["skeleton=body18"])
    with pytest.raises(UserError, match="named with any other model"):
        override(get_recipe("keypointgan"), ["skeleton="])
    with pytest.raises(UserError, match="a stage needs poses"):
        dataclasses.replace(get_recipe("keypointgan"), prior=None)
