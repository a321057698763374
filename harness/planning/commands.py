"""What starts a variant of a recipe, and which variants a recipe can have. Pure: nothing runs here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from harness.deployment import ProcessSpec
from harness.model import OWN_COMMAND, Variant
from harness.recipes import RECIPES
from harness.recipes.nginx import fronted
from harness.recipes.placeholders import filled
from harness.recipes.recipe import host
from harness.target import Target

CONTAINER_PORT = 8000
"""The port on every network path but `host`, where a free one of the host is taken."""
CONTAINER_TLS = "/opt/tls"
GENERATOR_ARGV = ("python", "-m", "scenarios.loadkit.agent")
"""One process of the load generator, the same for every variant."""

_DEFAULT = Variant(recipe="", workers=1)


def processes(variant: Variant, target: Target, env: Mapping[str, str]) -> tuple[ProcessSpec, ...]:
    """Every process that makes up the deployment; the load goes to the first one.

    `env` is what the app needs, secrets included; an engine without a private /tmp adds HARNESS_RUNTIME_DIR.
    "{port}" stands where the engine puts the port. Raises ValueError for a variant that `impossible` names.
    """
    if problem := impossible(variant, target):
        raise ValueError(f"{variant.id}: {problem}")
    return _processes(variant, target, env)


def deployed(variant: Variant, target: Target, env: Mapping[str, str]) -> tuple[ProcessSpec, ...]:
    """What a team starts that takes this variant: the same processes, without the wrapper."""
    return _processes(replace(variant, bare=True), target, env)


def in_containers(variant: Variant, target: Target) -> tuple[ProcessSpec, ...]:
    """As `deployed`, for containers that share a network: the first one has the published port.

    The environment is the target's own, without its secrets.
    """
    # Such a port needs a server that listens on every address of its container.
    found = deployed(replace(variant, network="published"), target, target.env)
    ports = range(CONTAINER_PORT, CONTAINER_PORT + len(found))

    def put(text: str) -> str:
        return filled(text, ports=ports, tls=CONTAINER_TLS)

    return tuple(
        replace(
            process,
            argv=tuple(map(put, process.argv)),
            env={name: put(value) for name, value in process.env.items()},
        )
        for process in found
    )


def server_argv(variant: Variant, target: Target) -> tuple[str, ...]:
    """The command line of what the load goes to. Raises ValueError for an impossible variant."""
    return processes(variant, target, {})[0].argv


def server_env(variant: Variant, target: Target, env: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that runs the app."""
    wrapper: dict[str, str] = {}
    if variant.wrapped:
        wrapper = {"HARNESS_APP": target.app or "", **inside_env(variant)}
        if target.app_dir:
            wrapper["HARNESS_APP_DIR"] = target.app_dir
        if variant.threads is not None:
            wrapper["HARNESS_THREADS"] = str(variant.threads)
    return {**wrapper, **dict(RECIPES[variant.recipe].env), **env, **dict(variant.env)}


def inside_env(variant: Variant) -> dict[str, str]:
    """What every server that answers the probe is told, those of no recipe included."""
    return {"HARNESS_VARIANT_ID": variant.id, "HARNESS_ACCESS_LOG": str(variant.access_log).lower()}


def _processes(variant: Variant, target: Target, env: Mapping[str, str]) -> tuple[ProcessSpec, ...]:
    recipe = RECIPES[variant.recipe]
    argv, env = recipe.command(variant, target), server_env(variant, target, env)
    if recipe.behind is None:
        return (ProcessSpec(name="server", argv=argv, env=env),)
    return fronted(
        variant,
        front=argv,
        servers=recipe.behind(variant, target),
        env=env,
        host=host(variant),
        tls=speaks_tls(variant),
    )


def speaks_tls(variant: Variant) -> bool:
    return RECIPES[variant.recipe].stack.tls is not None


def impossible(variant: Variant, target: Target) -> str | None:
    """Why this recipe cannot have these levels, or not serve this target, or None when it can."""
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
    return _fixed_level(variant) or _unservable(variant, target)


def _fixed_level(variant: Variant) -> str | None:
    for level in sorted(RECIPES[variant.recipe].fixed):
        value, only = getattr(variant, level), getattr(_DEFAULT, level)
        if value != only:
            return (
                f"{level} = {value}, but {variant.recipe} has no option for it; exclude it, or leave "
                f"{level} at {only}"
            )
    return None


def _unservable(variant: Variant, target: Target) -> str | None:
    """What the recipe cannot do with this app."""
    if target.app is None and variant.recipe != OWN_COMMAND:
        return f"{target.name} names no app for a server to import; only {OWN_COMMAND} can start it"
    if variant.bare and variant.threads is not None:
        return f"threads = {variant.threads} is set by the wrapper, and a bare app has none"
    return RECIPES[variant.recipe].problem(variant, target)
