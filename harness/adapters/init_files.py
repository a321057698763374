"""Looks at the files that `harness init` starts from, within bounds; no value of an .env is kept."""

from __future__ import annotations

import tomllib
from pathlib import Path

from harness.adapters.context_files import python_files, requirement_files
from harness.adapters.workload_files import Unreadable, read_env_file
from harness.planning.discovery import find_requirements
from harness.planning.first_draft import EnvFile, FoundFiles


def look(context: Path) -> FoundFiles:
    """What a build context holds."""
    texts = python_files(context)
    usable = requirement_files(context)
    if not _names_dependencies(texts.get("pyproject.toml", "")):
        usable -= {"pyproject.toml"}
    return FoundFiles(
        directory=context.resolve().name,
        texts=texts,
        requirements=find_requirements(usable),
        dockerfile=(context / "Dockerfile").is_file(),
    )


def env_file(directory: Path, name: str) -> EnvFile | None:
    """The names in an env_file as harness.toml in `directory` would read it; None where there is none."""
    if not (directory / name).is_file():
        return None
    try:
        return EnvFile(path=name, names=tuple(read_env_file(directory, name)))
    except Unreadable as error:
        return EnvFile(path=name, names=(), problem=str(error))


def _names_dependencies(pyproject: str) -> bool:
    """A pyproject.toml may hold settings of tools only."""
    try:
        return "dependencies" in tomllib.loads(pyproject).get("project", {})
    except (ValueError, RecursionError, TypeError, AttributeError):
        return False
