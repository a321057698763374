"""The pairs: one difference each, and Dockerfiles that any builder takes."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from harness.planning.example import EXAMPLE
from harness.recipes import RECIPES
from studies.images.pairs import PAIRS, ImagePair, Side, dockerfile

PROJECT = Path(__file__).parents[3]
SIDES = [pytest.param(side, id=f"{pair.probe}-{side.name}") for pair in PAIRS for side in pair.sides]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.probe)
def test_the_sides_of_a_pair_differ_in_one_thing(pair: ImagePair) -> None:
    first, second = pair.sides
    different = [
        field.name for field in fields(Side) if getattr(first, field.name) != getattr(second, field.name)
    ]
    assert len(different) == 2, different
    assert "name" in different


def test_every_claim_on_images_has_a_pair_and_no_probe_two() -> None:
    assert {pair.claim for pair in PAIRS} == {"I1", "I2", "I3", "I4", "I5", "I6"}
    assert len({pair.probe for pair in PAIRS}) == len(PAIRS)


@pytest.mark.parametrize("side", SIDES)
def test_a_side_starts_the_recipe_whose_lock_it_installs(side: Side) -> None:
    lines = dockerfile(side).splitlines()
    assert f"COPY requirements/{side.recipe}.txt requirements.txt" in lines
    assert (PROJECT / "requirements" / f"{side.recipe}.txt").is_file()
    program, *_ = RECIPES[side.recipe].command(side.server, EXAMPLE)
    assert lines[-1].startswith(f'CMD ["{program}", "target_app.main:app"')
    assert "{port}" not in lines[-1]
    assert not any("--mount" in line or "<<" in line for line in lines)


@pytest.mark.parametrize(
    ("changed", "gone", "come"),
    [
        (Side(name="", keep_pip_cache=True), ["--no-cache-dir"], []),
        (Side(name="", root=True), ["USER"], []),
        (Side(name="", unbuffered=False), ["PYTHONUNBUFFERED"], []),
        (Side(name="", write_bytecode=True), ["PYTHONDONTWRITEBYTECODE"], []),
        (Side(name="", build_tools=True), ["--only-binary"], ["gcc"]),
        (Side(name="", multi_stage=True), [], ["--from=installed"]),
    ],
)
def test_what_is_advised_stands_in_the_dockerfile_unless_a_side_leaves_it_out(
    changed: Side, gone: list[str], come: list[str]
) -> None:
    advised, other = dockerfile(Side(name="")), dockerfile(changed)
    assert all(word in advised and word not in other for word in gone)
    assert all(word not in advised and word in other for word in come)


@pytest.mark.parametrize("requirements_first", [True, False])
def test_the_app_is_copied_on_the_side_of_pip_that_is_asked_for(requirements_first: bool) -> None:
    text = dockerfile(Side(name="", requirements_first=requirements_first))
    assert (text.index("RUN pip") < text.index("COPY . .")) is requirements_first
    assert text.count("COPY . .") == 1


def test_the_compiler_stays_behind_in_the_first_of_two_stages() -> None:
    text = dockerfile(Side(name="", build_tools=True, multi_stage=True))
    _, first, second = text.split("FROM ${BASE_IMAGE}")
    assert "gcc" in first
    assert "gcc" not in second
    assert "pip install" not in second
