"""Recipes: one frozen dataclass for each experiment, overridden field by field.

A recipe is data. ``override`` changes named fields, ``recipe_to_dict`` writes what a run used.
"""

from __future__ import annotations

from fastpose.recipes.base import (
    Recipe,
    build_model,
    override,
    recipe_from_dict,
    recipe_to_dict,
)
from fastpose.recipes.registry import RECIPES, get_recipe

__all__ = [
    "RECIPES",
    "Recipe",
    "build_model",
    "get_recipe",
    "override",
    "recipe_from_dict",
    "recipe_to_dict",
]
