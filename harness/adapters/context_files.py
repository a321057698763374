"""Reads the files of a build context that say where the app is, within bounds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from harness.planning.discovery import LOCKS_FIRST, USUAL_FILES

MAX_FILES = 2_000
MAX_FILE_BYTES = 1_000_000
MAX_DIRECTORIES = 10_000
LEFT_OUT = frozenset({"node_modules", "venv", "env", "tests", "test", "site-packages", "build", "dist"})
"""Directories that hold no app of the team's; hidden ones and __pycache__ are left out too."""


def python_files(context: Path) -> dict[str, str]:
    """Text by path of pyproject.toml and up to 2,000 Python files; what is larger than 1 MB is left out."""
    files: dict[str, str] = {}
    usual = ("pyproject.toml", *USUAL_FILES, *(f"src/{name}" for name in USUAL_FILES))
    for path in (*(context / name for name in usual), *_below(context)):
        name = path.relative_to(context).as_posix()
        text = None if name in files else _text(path)
        if text is not None:
            files[name] = text
        if len(files) >= MAX_FILES:
            break
    return files


def requirement_files(context: Path) -> frozenset[str]:
    """Those of the known files with requirements that are there."""
    return frozenset(name for name in LOCKS_FIRST if (context / name).is_file())


def _below(context: Path) -> Iterator[Path]:
    """Python files, those nearest to the top first; no link to a directory is followed."""
    level = [context]
    seen = 0
    while level:
        below: list[Path] = []
        for directory in level:
            seen += 1
            if seen > MAX_DIRECTORIES:
                return
            for entry in _entries(directory):
                if entry.is_dir(follow_symlinks=False):
                    below += [Path(entry.path)] if _may_hold_apps(entry.name) else []
                elif entry.name.endswith(".py"):
                    yield Path(entry.path)
        level = below


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []  # Not ours to read: nothing of the team's app is in it.


def _may_hold_apps(name: str) -> bool:
    return not name.startswith((".", "__")) and name not in LEFT_OUT


def _text(path: Path) -> str | None:
    try:
        if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
            return None
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
