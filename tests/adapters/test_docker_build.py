from __future__ import annotations

import pytest

from harness.adapters.docker_build import dockerfile_for, stages

DOCKERFILE = """\
ARG BASE_IMAGE=python:3.13-slim

FROM ${BASE_IMAGE} AS base
RUN true

FROM base AS source
COPY app app

FROM --platform=linux/amd64 base AS plain
COPY --from=source --chown=10001 /app app

from base as standard
RUN echo FROM nowhere AS nothing
"""


def test_stages_are_found_in_order() -> None:
    preamble, found = stages(DOCKERFILE)
    assert preamble == "ARG BASE_IMAGE=python:3.13-slim\n\n"
    assert list(found) == ["base", "source", "plain", "standard"]
    assert preamble + "".join(found.values()) == DOCKERFILE


@pytest.mark.parametrize(
    ("recipe", "kept"),
    [
        ("base", ["base"]),
        ("source", ["base", "source"]),
        ("plain", ["base", "source", "plain"]),
        ("standard", ["base", "standard"]),
    ],
)
def test_only_the_stages_a_recipe_is_made_from_are_built(recipe: str, kept: list[str]) -> None:
    reduced = dockerfile_for(DOCKERFILE, recipe)
    assert reduced.startswith("ARG BASE_IMAGE")
    assert list(stages(reduced)[1]) == kept


def test_an_unknown_recipe_is_told() -> None:
    with pytest.raises(KeyError, match="unheard-of"):
        dockerfile_for(DOCKERFILE, "unheard-of")
