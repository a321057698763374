"""Dockerfiles of apps that come without one, as text."""

from __future__ import annotations

from harness.planning import app_image
from harness.planning.lock_readers import Requirements

BASE = "FROM x AS base\n"


def order(text: str, *parts: str) -> list[str]:
    assert all(part in text for part in parts), text
    return sorted(parts, key=text.index)


def test_packages_come_before_the_source_unless_they_are_part_of_it() -> None:
    install, copy = f"pip install --no-cache-dir -r {app_image.LINES_FILE}", "COPY . ."
    assert order(app_image.from_lines(BASE, Requirements(lines=("a",))), install, copy) == [install, copy]
    local = app_image.from_lines(BASE, Requirements(lines=("-e .",), local=True))
    assert order(local, install, copy) == [copy, install]
    install = "pip install --no-cache-dir -r deploy/requirements.txt"
    for references_others, wanted in ((False, [install, copy]), (True, [copy, install])):
        text = app_image.from_file(BASE, "deploy/requirements.txt", references_others=references_others)
        assert order(text, install, copy) == wanted


def test_uv_exports_its_own_lock_in_a_stage_that_is_thrown_away() -> None:
    text = app_image.from_uv_lock(BASE, "services/shop/uv.lock")
    assert "--require-hashes" in text.partition("uv export")[0]
    assert "uv export --quiet --frozen --no-dev --no-emit-project" in text
    assert "--project services/shop" in text
    assert "FROM base AS app" in text.partition("uv export")[2]


def test_packages_of_a_version_are_installed_last_and_reach_no_shell() -> None:
    packages = ("fastapi>=0.110,<0.111", "anyio==4.0")
    last = 'RUN ["pip", "install", "--no-cache-dir", "fastapi>=0.110,<0.111", "anyio==4.0"]\n'
    for text in (
        app_image.from_lines(BASE, Requirements(lines=("a",)), packages),
        app_image.from_file(BASE, "requirements.txt", packages, references_others=False),
        app_image.from_uv_lock(BASE, "uv.lock", packages),
    ):
        assert last in text
        assert text.index(last) > text.rindex("-r ")


def test_every_made_image_ends_as_an_ordinary_user() -> None:
    for text in (
        app_image.from_lines(app_image.base_stage("python:3.12"), Requirements(lines=())),
        app_image.from_uv_lock(BASE, "uv.lock"),
    ):
        assert text.rstrip().endswith("USER 10001:10001")


def test_the_team_s_ignore_file_has_the_last_word_but_not_on_what_is_needed() -> None:
    patterns = app_image.ignored("# notes\n\n*.csv\n!.venv\n", ["requirements.txt"])
    assert patterns[-3:] == ["*.csv", "!.venv", "!requirements.txt"]
    assert {"**/.git", "**/.venv", "**/__pycache__", "**/node_modules", "**/.env"} <= set(patterns)
