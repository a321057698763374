"""What starts a variant of a recipe, and which variants a recipe can have. Pure: nothing runs here."""

from __future__ import annotations

from harness.deployment import ProcessSpec
from harness.model import Variant
from harness.planning import fronts, servers
from harness.planning.recipes import RECIPES

CONTAINER_PORT = 8000
"""The port on every network path but `host`, where a free one of the host is taken."""
CONTAINER_TLS = "/opt/tls"
GENERATOR_ARGV = ("python", "-m", "scenarios.loadkit.agent")
"""One process of the load generator, the same for every variant."""

_DEFAULT = Variant(recipe="", workers=1)


def server_argv(variant: Variant) -> tuple[str, ...]:
    """The command line of what the load goes to, with "{port}" where the engine puts the port.

    Raises ValueError for a variant that `impossible` names.
    """
    if problem := impossible(variant):
        raise ValueError(f"{variant.id}: {problem}")
    return RECIPES[variant.recipe].command(variant)


def server_env(variant: Variant) -> dict[str, str]:
    """The app's own settings. An engine without a private /tmp adds TARGET_RUNTIME_DIR."""
    levels = {"TARGET_VARIANT_ID": variant.id, "TARGET_ACCESS_LOG": str(variant.access_log).lower()}
    # Oracles and dependencies are started as variants too, of no recipe.
    known = RECIPES.get(variant.recipe)
    return levels | dict(known.env if known else ())


def processes(variant: Variant) -> tuple[ProcessSpec, ...]:
    """Every process that makes up the deployment; the load goes to the first one.

    Raises ValueError for a variant that `impossible` names.
    """
    argv, env, behind = server_argv(variant), server_env(variant), RECIPES[variant.recipe].behind
    if behind is None:
        return (ProcessSpec(name="server", argv=argv, env=env),)
    return fronts.fronted(
        variant,
        front=argv,
        servers=behind(variant),
        env=env,
        host=servers.host(variant),
        tls=speaks_tls(variant),
    )


def speaks_tls(variant: Variant) -> bool:
    return RECIPES[variant.recipe].stack.tls is not None


def impossible(variant: Variant) -> str | None:
    """Why this recipe cannot have these levels, or None when it can."""
    if variant.recipe not in RECIPES:
        return f"unknown recipe {variant.recipe!r}; known are {', '.join(RECIPES)}"
    if variant.workers < 1:
        return f"workers is {variant.workers}, but a server needs at least 1"
    recipe = RECIPES[variant.recipe]
    if recipe.behind and (variant.cpu_quota is not None or variant.memory_mib is not None):
        return "cpu_quota and memory_mib would hold for each of its containers, not for all; leave them out"
    most = recipe.most_keep_alive_s
    if most is not None and variant.keep_alive_s > most:
        return f"keep_alive_s = {variant.keep_alive_s}, but {variant.recipe} takes {most} at most"
    for level in sorted(recipe.fixed):
        value, only = getattr(variant, level), getattr(_DEFAULT, level)
        if value != only:
            return (
                f"{level} = {value}, but {variant.recipe} has no option for it; exclude it, or leave "
                f"{level} at {only}"
            )
    return None
