"""Looks at a build context for `harness init`, within bounds; values of secrets are not kept."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from harness.adapters.context_files import python_files, requirement_files
from harness.planning.discovery import find_requirements
from harness.planning.first_draft import Surroundings

MAX_ENV_BYTES = 1_000_000
ENV_LINE = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=", re.MULTILINE)


def look(context: Path) -> Surroundings:
    """What a first harness.toml can be made from."""
    files = python_files(context)
    usable = requirement_files(context)
    if not _names_dependencies(files.get("pyproject.toml", "")):
        usable -= {"pyproject.toml"}
    return Surroundings(
        directory=context.resolve().name,
        files=files,
        requirements=find_requirements(usable),
        dockerfile=(context / "Dockerfile").is_file(),
        env_names=env_names(context / ".env"),
    )


def env_names(path: Path) -> tuple[str, ...] | None:
    """The names that an .env sets; None where there is no such file that can be read."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_ENV_BYTES:
            return None
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return tuple(dict.fromkeys(ENV_LINE.findall(text)))


def _names_dependencies(pyproject: str) -> bool:
    """A pyproject.toml may hold settings of tools only."""
    try:
        return "dependencies" in tomllib.loads(pyproject).get("project", {})
    except (ValueError, RecursionError, TypeError):
        return False
