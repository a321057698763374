"""Dockerfile.variants and requirements/ as text: what building cannot show."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from harness.adapters.docker_build import TeamApp, layered
from harness.model import OWN_COMMAND, Variant
from harness.planning.commands import CONTAINER_TLS, deployed
from harness.planning.dockerfile import with_stages
from harness.planning.example import EXAMPLE
from harness.recipes import RECIPES, image_of, lock_of
from harness.recipes.placeholders import filled

ROOT = Path(__file__).parents[2]
OURS = tuple(recipe for recipe in RECIPES if recipe != OWN_COMMAND)
OWN = tuple(recipe for recipe in OURS if image_of(recipe) == recipe)
BEHIND_NGINX = tuple(recipe for recipe in OWN if RECIPES[recipe].behind)
IMAGES = tuple(recipe for recipe in OWN if lock_of(recipe) == recipe)
STAGES: dict[str, str] = {}
for parent, stage, steps in re.findall(
    r"^FROM (\S+) AS (\S+)\n(.*?)(?=^FROM |\Z)",
    (ROOT / "Dockerfile.variants").read_text(),
    re.MULTILINE | re.DOTALL,
):
    # With what it inherits, except from `base`, which is the same for all.
    STAGES[stage] = steps if parent in ("base", "wrapped") else STAGES.get(parent, "") + steps


def lock(name: str) -> dict[str, set[str]]:
    """Package to its pinned versions (more than one where they depend on the Python version)."""
    pins: dict[str, set[str]] = {}
    for package, version in re.findall(
        r"^([a-z0-9-]+)==(\S+)", (ROOT / f"requirements/{lock_of(name)}.txt").read_text(), re.MULTILINE
    ):
        pins.setdefault(package, set()).add(version)
    return pins


def test_the_stages_are_those_that_the_recipes_say() -> None:
    text = (ROOT / "Dockerfile.variants").read_text()
    assert with_stages(text) == text, "run scripts/dockerfile.py"


def test_a_shared_image_is_one_that_has_an_owner() -> None:
    assert {image_of(recipe) for recipe in OURS} == set(OWN)
    assert set(OWN) <= set(STAGES)


@pytest.mark.parametrize("recipe", OWN)
def test_an_image_started_by_hand_runs_what_a_team_deploys(recipe: str) -> None:
    (*_, command) = re.findall(
        r"^CMD (\[.*\])$", STAGES["nginx" if recipe in BEHIND_NGINX else recipe], re.MULTILINE
    )
    first, *_ = deployed(Variant(recipe=recipe, workers=1, network="published"), EXAMPLE, {})
    assert json.loads(command) == [filled(word, ports=[8000], tls=CONTAINER_TLS) for word in first.argv]


@pytest.mark.parametrize(("name", "source"), [("app", "target_app"), ("generator", "scenarios")])
def test_an_image_drops_root_and_installs_before_it_copies_source(name: str, source: str) -> None:
    body = STAGES[name]
    assert (
        body.index("RUN pip install") < body.index(f"COPY {source} {source}") < body.index("USER 10001:10001")
    )


@pytest.mark.parametrize("name", IMAGES)
def test_a_recipe_is_a_thin_layer_whose_interpreter_and_user_the_harness_can_replace(name: str) -> None:
    body = STAGES[name]
    app = TeamApp(target="shop", image="sha256:1", python="/srv/bin/python", user="web")
    text = layered((ROOT / "Dockerfile.variants").read_text(), name, app)
    assert f'RUN ["python", "/opt/harness/install.py", "{name}"]' in body
    assert f'RUN ["/srv/bin/python", "/opt/harness/install.py", "{name}", "--resolve"]' in text
    assert "FROM sha256:1 AS app\n" in text
    assert "USER web" in text
    assert "10001:10001" not in text
    assert "target_app.txt" not in text
    assert "COPY target_app" not in text


def test_every_install_is_checked_against_hashes() -> None:
    installs = [line for body in STAGES.values() for line in body.splitlines() if "pip install" in line]
    assert installs
    assert all("--require-hashes" in line and "--no-cache-dir" in line for line in installs)
    assert '"--require-hashes"' in (ROOT / "probe/install.py").read_text()


@pytest.mark.parametrize("name", [*IMAGES, "generator", "target_app", "pip", "uv"])
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


def test_recipes_bring_no_version_that_the_example_does_not_have() -> None:
    app = lock("target_app")
    assert {"fastapi", "pydantic-settings"} <= set(app)
    for recipe in OWN:
        shared = {package: versions for package, versions in lock(recipe).items() if package in app}
        assert shared == {package: app[package] for package in shared}


def test_the_pure_parser_shares_an_image_that_cannot_have_the_other() -> None:
    assert image_of("gunicorn-asgi-pure") != image_of("gunicorn-asgi")
    assert "gunicorn-h1c" not in lock(image_of("gunicorn-asgi-pure"))


def test_plain_uvicorn_has_nothing_that_would_make_it_another_recipe() -> None:
    assert {"uvloop", "httptools", "gunicorn"}.isdisjoint(lock("uvicorn-plain"))


@pytest.mark.parametrize("name", [*IMAGES, "generator", "target_app", "pip", "uv"])
def test_a_lock_file_names_no_index(name: str) -> None:
    assert not re.search(
        r"://|^--\w*(index|find-links)", (ROOT / f"requirements/{lock_of(name)}.txt").read_text(), re.M
    )
