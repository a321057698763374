"""Puts what runs in containers and processes of their own into the wheel, as harness/_shipped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

DIRECTORIES = ("front", "matrices", "oracles", "probe", "scenarios", "target_app", "wire")
FILES = (".dockerignore", "Dockerfile.variants", "scripts/certificate.sh", "scripts/postgres.sh")
DEVELOPMENT = "dev"


class Shipped(BuildHookInterface[Any]):
    """Runs for the wheel only: an editable install uses the checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        root = Path(self.root)
        build_data["force_include"].update({str(root / p): f"harness/_shipped/{p}" for p in shipped(root)})


def shipped(root: Path) -> Iterator[str]:
    """Paths of the files, relative to the checkout."""
    yield from FILES
    for path in sorted((root / "requirements").iterdir()):
        if path.suffix in (".in", ".txt") and path.stem != DEVELOPMENT:
            yield f"requirements/{path.name}"
    for directory in DIRECTORIES:
        for path in sorted((root / directory).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(root).as_posix()
