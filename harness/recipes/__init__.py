"""The servers, a file for each: what it is installed from, started by, and must turn out to be."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.model import OWN_COMMAND
from harness.recipes import fastapi_run, granian, gunicorn, hypercorn, nginx, own_command, uvicorn
from harness.recipes.recipe import ExpectedStack, Recipe

SERVERS = (uvicorn, fastapi_run, granian, hypercorn, gunicorn, nginx, own_command)

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    dict(
        sorted(
            ((name, recipe) for server in SERVERS for name, recipe in server.RECIPES.items()),
            key=lambda known: known[1].simplicity,
        )
    )
)
"""The simplest first."""

EXPECTED_STACK: Mapping[str, ExpectedStack] = MappingProxyType(
    {name: recipe.stack for name, recipe in RECIPES.items() if name != OWN_COMMAND}
)
"""What the probe must report per recipe (validity rule I9). Compare with str.startswith.
A black box reports nothing."""


def image_of(recipe: str) -> str:
    """The stage of Dockerfile.variants that a recipe is built from."""
    return RECIPES[recipe].image or recipe


def lock_of(recipe: str) -> str:
    """Stem of a recipe's file in requirements/: its own name, where nothing else is known."""
    known = RECIPES.get(recipe)
    return (known and (known.lock or known.image)) or recipe
