"""The recipes by name."""

from __future__ import annotations

from fastpose.errors import lookup
from fastpose.recipes import keypointgan, lifting, shape_templates, supervised
from fastpose.recipes.base import Recipe

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        *keypointgan.RECIPES,
        *shape_templates.RECIPES,
        *lifting.RECIPES,
        *supervised.RECIPES,
    )
}


def get_recipe(name: str) -> Recipe:
    """A recipe by name; UserError with the nearest one where it is unknown."""
    return lookup("recipe", name, RECIPES)
