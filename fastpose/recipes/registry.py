"""The recipes by name."""

from __future__ import annotations

from fastpose.errors import UserError, nearest
from fastpose.recipes import keypointgan, lifting, shape_templates
from fastpose.recipes.base import Recipe

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (*keypointgan.RECIPES, *shape_templates.RECIPES, *lifting.RECIPES)
}


def get_recipe(name: str) -> Recipe:
    """A recipe by name; UserError with the nearest one where it is unknown."""
    try:
        return RECIPES[name]
    except KeyError:
        known = ", ".join(RECIPES)
        raise UserError(f"no recipe '{name}' (known: {known}){nearest(name, RECIPES)}") from None
