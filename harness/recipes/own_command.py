"""What an image starts by itself: a black box."""

from __future__ import annotations

from harness.model import OWN_COMMAND, Variant
from harness.recipes.recipe import UNKNOWN, Argv, Recipe
from harness.target import Target

OF_THE_IMAGE = frozenset(
    {"workers", "access_log", "keep_alive_s", "graceful_timeout_s", "worker_timeout_s"}
    | {"threads", "preload", "max_requests", "backlog", "limit_concurrency"}
)


def command(_: Variant, target: Target) -> Argv:
    """Empty where the image's own entry point is to stay."""
    return target.command


def problem(variant: Variant, _: Target) -> str | None:
    return "it has no wrapper that could be left out" if variant.bare else None


RECIPES = {
    OWN_COMMAND: Recipe(
        description="the image's own command, a black box",
        simplicity=30,
        stack=UNKNOWN,
        command=command,
        fixed=OF_THE_IMAGE,
        problem=problem,
    )
}
