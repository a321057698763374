"""The virtual environment of a recipe, made from its hash-locked requirements."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.adapters.assets import workspace
from harness.errors import BuildFailed

GENERATOR = "generator"
INSTALL_TIMEOUT_S = 900
TAIL_LINES = 20


def virtual_env(project: Path, recipe: str) -> Path:
    """The directory of a recipe's environment, built unless it stands already. Raises BuildFailed.

    Its name carries a hash of the lock file and of this Python's version: a changed lock never meets
    an old environment. The full log stays in the workspace's builds/.
    """
    if recipe == GENERATOR and _importable("locust", "geventhttpclient", "numpy"):
        return Path(sys.prefix)
    lock = project / "requirements" / f"{recipe}.txt"
    try:
        key = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:12]
    except FileNotFoundError as error:
        raise BuildFailed(recipe, f"{lock} is missing.") from error
    home = workspace(project) / "venvs" / f"{recipe}-{key}"
    complete = home / "complete"
    if not complete.exists():
        _build(recipe, home, lock, find_uv(project), workspace(project) / "builds" / f"{recipe}.log")
        complete.touch()
    return home


def find_uv(project: Path) -> tuple[str, ...] | None:
    """The command that runs uv: from PATH, the project's own copy, or this Python's; None without."""
    own = workspace(project) / "uv" / "bin" / "uv"
    if found := shutil.which("uv"):
        return (found,)
    if own.exists():
        return (str(own),)
    return (sys.executable, "-m", "uv") if _importable("uv") else None


def commands(home: Path, lock: Path, uv: Sequence[str] | None) -> tuple[tuple[str, ...], ...]:
    """What makes an environment at `home` and installs `lock` into it: with uv, else slower with pip."""
    python = str(home / "bin" / "python")
    if uv is None:
        return (
            (sys.executable, "-m", "venv", str(home)),
            (python, "-m", "pip", "install", "--require-hashes", "--requirement", str(lock)),
        )
    return (
        (*uv, "venv", "--python", sys.executable, str(home)),
        (*uv, "pip", "sync", "--python", python, "--require-hashes", str(lock)),
    )


def _build(recipe: str, home: Path, lock: Path, uv: Sequence[str] | None, log: Path) -> None:
    # What an interrupted build left behind is not worth mending.
    shutil.rmtree(home, ignore_errors=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        for command in commands(home, lock, uv):
            try:
                subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    timeout=INSTALL_TIMEOUT_S,
                    check=True,
                )
            except (OSError, subprocess.SubprocessError) as error:
                said = log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
                raise BuildFailed(recipe, "\n".join(said) or str(error), log) from error


def _importable(*modules: str) -> bool:
    return all(importlib.util.find_spec(module) for module in modules)
