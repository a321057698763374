"""Dockerfile.variants and requirements/ as text: what building cannot show."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from harness.model import OWN_COMMAND, Variant
from harness.planning.commands import CONTAINER_TLS, deployed
from harness.planning.example import EXAMPLE
from harness.planning.placeholders import filled
from harness.planning.recipes import RECIPES, image_of, lock_of

ROOT = Path(__file__).parents[2]
OURS = tuple(recipe for recipe in RECIPES if recipe != OWN_COMMAND)
OWN = tuple(recipe for recipe in OURS if image_of(recipe) == recipe)
IMAGES = (*OWN, "generator")
STAGES: dict[str, str] = {}
for parent, stage, steps in re.findall(
    r"^FROM (\S+) AS (\S+)\n(.*?)(?=^FROM |\Z)",
    (ROOT / "Dockerfile.variants").read_text(),
    re.MULTILINE | re.DOTALL,
):
    # With what it inherits, except from `base`, which is the same for all.
    STAGES[stage] = steps if parent == "base" else STAGES.get(parent, "") + steps


def lock(name: str) -> dict[str, set[str]]:
    """Package to its pinned versions (more than one where they depend on the Python version)."""
    pins: dict[str, set[str]] = {}
    for package, version in re.findall(
        r"^([a-z0-9-]+)==(\S+)", (ROOT / f"requirements/{lock_of(name)}.txt").read_text(), re.MULTILINE
    ):
        pins.setdefault(package, set()).add(version)
    return pins


def test_a_shared_image_is_one_that_has_an_owner() -> None:
    assert {image_of(recipe) for recipe in OURS} == set(OWN)
    assert set(IMAGES) <= set(STAGES)


@pytest.mark.parametrize("recipe", OWN)
def test_an_image_started_by_hand_runs_what_a_team_deploys(recipe: str) -> None:
    (command,) = re.findall(r"^CMD (\[.*\])$", STAGES[recipe], re.MULTILINE)
    first, *_ = deployed(Variant(recipe=recipe, workers=1, network="published"), EXAMPLE, {})
    assert json.loads(command) == [filled(word, ports=[8000], tls=CONTAINER_TLS) for word in first.argv]


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_drops_root_and_installs_before_it_copies_source(name: str) -> None:
    body = STAGES[name]
    assert "USER 10001:10001" in body
    installed = re.search(r"^RUN pip install|^COPY --from=\S+ /opt/venv", body, re.MULTILINE)
    copied = re.search(r"^COPY .*(target_app|scenarios)$", body, re.MULTILINE)
    assert installed
    assert copied
    assert installed.start() < copied.start() < body.index("USER")


def test_every_install_is_checked_against_hashes() -> None:
    installs = [line for body in STAGES.values() for line in body.splitlines() if "pip install" in line]
    assert installs
    assert all("--require-hashes" in line and "--no-cache-dir" in line for line in installs)


@pytest.mark.parametrize("name", IMAGES)
def test_a_lock_file_pins_everything_it_was_asked_for(name: str) -> None:
    text = (ROOT / f"requirements/{lock_of(name)}.in").read_text()
    asked = set(re.findall(r"^([a-z][a-z0-9-]*)", text, re.MULTILINE))
    assert asked
    assert asked <= set(lock(name))
    pinned = (ROOT / f"requirements/{lock_of(name)}.txt").read_text().split("\n")
    for line, following in pairwise(pinned):
        if "==" in line and not line.lstrip().startswith("#"):
            assert following.lstrip().startswith("--hash=sha256:"), line


def test_recipes_share_the_versions_of_what_they_share() -> None:
    seen: dict[str, set[str]] = {}
    for recipe in OWN:
        for package, versions in lock(recipe).items():
            seen[package] = seen.get(package, set()) | versions
    assert {package: versions for package, versions in seen.items() if len(versions) > 1} == {}
    assert {"fastapi", "pydantic-settings"} <= set.intersection(*(set(lock(recipe)) for recipe in OWN))


def test_the_pure_parser_shares_an_image_that_cannot_have_the_other() -> None:
    assert image_of("gunicorn-asgi-pure") != image_of("gunicorn-asgi")
    assert "gunicorn-h1c" not in lock(image_of("gunicorn-asgi-pure"))


def test_plain_uvicorn_has_nothing_that_would_make_it_another_recipe() -> None:
    assert {"uvloop", "httptools", "gunicorn"}.isdisjoint(lock("uvicorn-plain"))


@pytest.mark.parametrize("name", IMAGES)
def test_a_lock_file_names_no_index(name: str) -> None:
    assert not re.search(
        r"://|^--\w*(index|find-links)", (ROOT / f"requirements/{lock_of(name)}.txt").read_text(), re.M
    )
