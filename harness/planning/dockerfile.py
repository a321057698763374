"""The stages of the recipes in Dockerfile.variants, as text. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator

from harness.model import OWN_COMMAND, Variant
from harness.planning.commands import CONTAINER_PORT, CONTAINER_TLS, deployed
from harness.planning.example import EXAMPLE
from harness.recipes import RECIPES
from harness.recipes.placeholders import filled

BEGIN, END = "# Stages of recipes: begin.", "# Stages of recipes: end."


def with_stages(text: str) -> str:
    """A Dockerfile with the stages of all recipes between the lines BEGIN and END.

    Raises ValueError where these are not there.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"no lines {BEGIN!r} and {END!r}")
    stages = "\n".join(stage for name in RECIPES for stage in _stages(name))
    return f"{before}{begin}\n{stages}\n{end}{after}"


def _stages(name: str) -> Iterator[str]:
    """None of a recipe that shares the image of another, or has none of ours."""
    recipe = RECIPES[name]
    if recipe.image is not None or name == OWN_COMMAND:
        return
    if recipe.behind is not None:
        yield f"# What stands behind nginx.\nFROM {recipe.lock} AS {name}\n"
    elif recipe.lock is not None:
        yield (
            f"FROM {recipe.lock} AS {name}\n"
            f"COPY --from=certificate --chown=10001:10001 /tls {CONTAINER_TLS}\n"
            f"{_cmd(name)}"
        )
    else:
        yield from _own_stages(name)


def _own_stages(name: str) -> Iterator[str]:
    recipe = RECIPES[name]
    install = (
        f"COPY requirements/{name}.in requirements/{name}.txt /opt/harness/recipes/\n"
        f'RUN ["python", "/opt/harness/install.py", "{name}"'
    )
    wheels = ""
    if recipe.from_source:
        yield (
            f"# Published as source only: {', '.join(recipe.from_source)}. The compiler stays behind here.\n"
            f"FROM wrapped AS {name}-wheels\n"
            f'{install}, "--wheels", {", ".join(map(json.dumps, recipe.from_source))}]\n'
        )
        wheels = f"COPY --from={name}-wheels /opt/harness/wheels /opt/harness/wheels\n"
    ends = f"USER 10001:10001\nEXPOSE {CONTAINER_PORT}\n{_cmd(name)}"
    yield f"FROM wrapped AS {name}\n{wheels}{install}]\n{ends}"


def _cmd(name: str) -> str:
    """The app alone, with one worker and default levels."""
    first, *_ = deployed(Variant(recipe=name, workers=1, network="published"), EXAMPLE, {})
    argv = [filled(word, ports=[CONTAINER_PORT], tls=CONTAINER_TLS) for word in first.argv]
    return f"CMD {json.dumps(argv)}\n"
