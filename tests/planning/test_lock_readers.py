"""Requirement lines out of the files that Python's tools write."""

from __future__ import annotations

import json

import pytest

from harness.planning.lock_readers import (
    UnreadableLock,
    from_pipfile,
    from_poetry,
    from_pyproject,
    from_text,
    read,
)

POETRY_2 = """
[[package]]
name = "anyio"
version = "4.3.0"
optional = false
python-versions = ">=3.8"
groups = ["main", "dev"]
files = [
    {file = "anyio-4.3.0-py3-none-any.whl", hash = "sha256:aa"},
    {file = "anyio-4.3.0.tar.gz", hash = "sha256:bb"},
]

[[package]]
name = "colorama"
version = "0.4.6"
optional = false
python-versions = ">=2.7"
groups = ["main", "dev"]
files = [{file = "colorama-0.4.6.tar.gz", hash = "sha256:cc"}]
markers = {main = "sys_platform == 'win32'", dev = "platform_system == 'Windows'"}

[[package]]
name = "openpyxl"
version = "3.1.2"
optional = true
python-versions = ">=3.6"
groups = ["main"]
files = [{file = "openpyxl-3.1.2.tar.gz", hash = "sha256:dd"}]
markers = "extra == 'export'"

[[package]]
name = "pytest"
version = "8.0.0"
optional = false
python-versions = ">=3.8"
groups = ["dev"]
files = [{file = "pytest-8.0.0.tar.gz", hash = "sha256:ee"}]

[metadata]
lock-version = "2.1"
python-versions = ">=3.11"
content-hash = "00"
"""

POETRY_1 = """
[[package]]
name = "click"
version = "8.1.3"
category = "main"
optional = false
python-versions = ">=3.7"

[package.dependencies]
colorama = {version = "*", markers = "platform_system == \\"Windows\\""}

[[package]]
name = "colorama"
version = "0.4.6"
category = "main"
optional = false
python-versions = ">=2.7"

[[package]]
name = "httptools"
version = "0.5.0"
category = "main"
optional = false
python-versions = ">=3.5"

[[package]]
name = "openpyxl"
version = "3.1.2"
category = "main"
optional = true
python-versions = ">=3.6"

[[package]]
name = "pytest"
version = "7.2.0"
category = "dev"
optional = false
python-versions = ">=3.7"

[[package]]
name = "uvloop"
version = "0.17.0"
category = "main"
optional = false
python-versions = ">=3.7"

[[package]]
name = "uvicorn"
version = "0.19.0"
category = "main"
optional = false
python-versions = ">=3.7"

[package.dependencies]
click = ">=7.0"
uvloop = {version = "*", optional = true, markers = "sys_platform != \\"win32\\" and extra == \\"standard\\""}
httptools = {version = ">=0.5.0", optional = true, markers = "extra == \\"standard\\""}

[package.extras]
standard = ["httptools (>=0.5.0)", "uvloop (>=0.14.0,!=0.15.0)"]

[metadata]
lock-version = "1.1"
python-versions = "^3.10"

[metadata.files]
click = [{file = "click-8.1.3.tar.gz", hash = "sha256:c1"}]
colorama = [{file = "colorama-0.4.6.tar.gz", hash = "sha256:c2"}]
httptools = [{file = "httptools-0.5.0.tar.gz", hash = "sha256:c3"}]
openpyxl = [{file = "openpyxl-3.1.2.tar.gz", hash = "sha256:c4"}]
pytest = [{file = "pytest-7.2.0.tar.gz", hash = "sha256:c5"}]
uvloop = [{file = "uvloop-0.17.0.tar.gz", hash = "sha256:c7"}]
uvicorn = [{file = "uvicorn-0.19.0.tar.gz", hash = "sha256:c6"}]
"""
PYPROJECT_1 = """
[tool.poetry.dependencies]
python = "^3.10"
uvicorn = {extras = ["standard"], version = "^0.19"}
openpyxl = {version = "^3", optional = true}

[tool.poetry.group.dev.dependencies]
pytest = "^7"
"""
HTTPX = {"extras": ["http2"], "hashes": ["sha256:11", "sha256:22"], "version": "==0.28.1"}
ANYWHERE = {"hashes": ["sha256:33"], "markers": "sys_platform == 'win32'", "version": "*"}


def pipfile(**default: object) -> str:
    sources = [{"url": "https://pypi.org/simple"}, {"url": "https://own.example/simple"}]
    return json.dumps({"_meta": {"sources": sources}, "default": default, "develop": {"pytest": {}}})


def test_the_main_group_of_poetry_2_keeps_its_own_markers_and_its_hashes() -> None:
    assert from_poetry(POETRY_2, None).lines == (
        "anyio==4.3.0 --hash=sha256:aa --hash=sha256:bb",
        "colorama==0.4.6 ; sys_platform == 'win32' --hash=sha256:cc",
    )


def test_an_older_poetry_lock_is_followed_from_the_main_dependencies() -> None:
    assert from_poetry(POETRY_1, PYPROJECT_1).lines == (
        "click==8.1.3 --hash=sha256:c1",
        'colorama==0.4.6 ; platform_system == "Windows" --hash=sha256:c2',
        "httptools==0.5.0 --hash=sha256:c3",
        'uvloop==0.17.0 ; sys_platform != "win32" --hash=sha256:c7',
        "uvicorn==0.19.0 --hash=sha256:c6",
    )
    with pytest.raises(UnreadableLock, match="before Poetry 2"):
        from_poetry(POETRY_1, None)


def test_a_pipfile_lock_gives_its_default_section_and_further_indexes() -> None:
    found = from_pipfile(pipfile(httpx=HTTPX, colorama=ANYWHERE))
    assert found.lines == (
        "--extra-index-url https://own.example/simple",
        "httpx[http2]==0.28.1 --hash=sha256:11 --hash=sha256:22",
        "colorama ; sys_platform == 'win32' --hash=sha256:33",
    )
    assert not found.local


def test_hashes_are_left_out_where_something_has_none() -> None:
    own = {"editable": True, "path": "./libs/own"}
    found = from_pipfile(pipfile(httpx=HTTPX, own=own, forked={"git": "https://git.example/f", "ref": "abc"}))
    assert found.lines[1:] == (
        "httpx[http2]==0.28.1",
        "-e ./libs/own",
        "forked @ git+https://git.example/f@abc",
    )
    assert found.local


def test_pep_621_dependencies_are_read_without_the_optional_ones() -> None:
    text = '[project]\ndependencies = ["fastapi>=0.1"]\n[project.optional-dependencies]\nx = ["openpyxl"]\n'
    assert from_pyproject(text).lines == ("fastapi>=0.1",)
    with pytest.raises(UnreadableLock, match="when it is built"):
        from_pyproject('[project]\ndynamic = ["dependencies"]\n')
    with pytest.raises(UnreadableLock, match=r"no \[project\] dependencies"):
        from_pyproject("[tool.poetry.dependencies]\n")


@pytest.mark.parametrize("line", ["-r base.txt", "-c pins.txt", "-e .", "./libs/own", "own @ file:libs/own"])
def test_requirements_that_refer_to_the_project_are_noticed(line: str) -> None:
    assert from_text(f"fastapi\n{line}\n").local
    assert not from_text("fastapi==0.1 --hash=sha256:aa\n# -r base.txt\n").local


@pytest.mark.parametrize("name", ["poetry.lock", "Pipfile.lock", "pyproject.toml", "setup.py"])
def test_what_cannot_be_read_says_how_to_go_on(name: str) -> None:
    with pytest.raises(UnreadableLock, match="\nFix: "):
        read(name, "[[[", None)
