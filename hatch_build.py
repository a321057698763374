"""Puts what runs in containers and processes of their own into the wheel, as harness/_shipped."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

DIRECTORIES = ("front", "matrices", "oracles", "probe", "scenarios", "target_app")
FILES = (".dockerignore", "Dockerfile.variants", "scripts/certificate.sh", "scripts/postgres.sh")
BOTH = "wire"
"""A package of the wheel that goes into the load generator's image as well."""
DEVELOPMENT = "dev"


class Shipped(BuildHookInterface[Any]):
    """Runs for the wheel only: an editable install uses the checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        root = Path(self.root)
        build_data["force_include"].update({str(root / p): f"harness/_shipped/{p}" for p in shipped(root)})
        # What is forced in from a place is left out there, so the second copy comes from another one.
        self._copies = Path(tempfile.mkdtemp(prefix="harness-wheel-"))
        for path in files_in(root, BOTH):
            copy = self._copies / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / path, copy)
            build_data["force_include"][str(copy)] = f"harness/_shipped/{path}"

    def finalize(self, version: str, _build_data: dict[str, Any], _artifact: str) -> None:
        if version != "editable":
            shutil.rmtree(self._copies)


def shipped(root: Path) -> Iterator[str]:
    """Paths of the files, relative to the checkout."""
    yield from FILES
    for path in sorted((root / "requirements").iterdir()):
        if path.suffix in (".in", ".txt") and path.stem != DEVELOPMENT:
            yield f"requirements/{path.name}"
    for directory in DIRECTORIES:
        yield from files_in(root, directory)


def files_in(root: Path, directory: str) -> Iterator[str]:
    """Relative to the checkout."""
    for path in sorted((root / directory).rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(root).as_posix()
