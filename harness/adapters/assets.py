"""Where the files are that ship with the harness, and where what is made from them goes."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from harness.errors import EnvironmentProblem

OVERRIDE = "HARNESS_ASSETS"
"""For development and tests: a directory of assets in place of the harness's own."""
MARKER = "Dockerfile.variants"
PACKAGE = Path(__file__).resolve().parent.parent
SHIPPED = PACKAGE / "_shipped"
"""Where the wheel puts them (hatch_build.py). A checkout has no such directory."""


def assets() -> Path:
    """The directory with Dockerfile.variants, scenarios/, matrices/ and the rest. Nothing is written to it.

    In a checkout (an editable install) that is the checkout. Raises EnvironmentProblem.
    """
    if override := os.environ.get(OVERRIDE):
        return _checked(Path(override).resolve(), fix=f"unset {OVERRIDE}, or name a checkout in it")
    return _checked(
        SHIPPED if SHIPPED.is_dir() else PACKAGE.parent,
        fix="install harness again (`pip install --force-reinstall harness`)",
    )


def workspace(directory: Path | None = None) -> Path:
    """Where builds, logs, environments and certificates go: .harness in a checkout, else the user's cache.

    `directory` holds the assets they are made from. Raises EnvironmentProblem where nothing can be written.
    """
    directory = directory or assets()
    path = platformdirs.user_cache_path("harness") if directory == SHIPPED else directory / ".harness"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fix = "set XDG_CACHE_HOME to a directory that you may write to"
        if directory != SHIPPED:
            fix = f"give this user the right to write in {directory}"
        raise EnvironmentProblem(f"{path} cannot be made: {error.strerror}.\nFix: {fix}.") from error
    return path


def engine_remedy() -> str:
    """What gets a Docker engine. The wheel brings no set-up scripts."""
    return _script("setup-engine.sh") or "install Docker: https://docs.docker.com/engine/install/"


def base_image_remedy() -> str:
    """What gets the image that all variants start from."""
    return _script("setup-base-image.sh") or "docker pull python:3.13-slim"


def preset(matrix: Path, directory: Path) -> Path:
    """The matrix file meant by a path or by the plain name of one that ships ("quick")."""
    shipped = directory / "matrices" / f"{matrix.name}.toml"
    plain = len(matrix.parts) == 1 and not matrix.suffix
    return shipped if plain and not matrix.exists() and shipped.is_file() else matrix


def _script(name: str) -> str | None:
    return f"sudo scripts/{name}" if (assets() / "scripts" / name).is_file() else None


def _checked(directory: Path, *, fix: str) -> Path:
    if (directory / MARKER).is_file():
        return directory
    raise EnvironmentProblem(
        f"{directory} has no {MARKER}: the files that harness measures with are missing.\nFix: {fix}."
    )
