"""The recipes by name: each is known, here and to the language, once its module is imported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from preheat.core.node import Schedule
from preheat.core.stated import Absolute
from preheat.core.text.words import learn

Recipe = TypeVar("Recipe", bound=Callable[..., Schedule | Absolute])
RECIPES: dict[str, Callable[..., Any]] = {}


def recipe(function: Recipe) -> Recipe:
    """Make a function that returns a schedule a recipe: a word of the language too."""
    RECIPES[function.__name__] = function
    learn(function)
    return function
