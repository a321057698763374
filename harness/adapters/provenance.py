"""What the manifest says of where and with what a run was made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from harness import __version__
from harness.adapters import host


class DescribesItself(Protocol):
    """The part of an engine that the manifest needs."""

    @property
    def name(self) -> str: ...
    def describe(self) -> Mapping[str, str]: ...


def made_with(engine: DescribesItself, results: Path) -> dict[str, Any]:
    """Machine, engine and version: what every manifest says, a run's and an experiment's alike."""
    return {
        "harness": __version__,
        "engine": engine.name,
        "engine_facts": dict(engine.describe()),
        "host": dict(host.facts(results)),
    }


def provenance(
    matrix_path: Path,
    results: Path,
    engine: DescribesItself,
    *,
    images: Mapping[str, str],
    failed_builds: Mapping[str, str],
) -> dict[str, Any]:
    """Facts that a reader needs to repeat the run, and that --resume compares.

    The matrix is named as it is from here, where that is below here: a report may be handed on. The plain
    name of one that ships stays as it is.
    """
    here, matrix = Path.cwd(), matrix_path.resolve()
    named = matrix.relative_to(here) if matrix.is_relative_to(here) and matrix.exists() else matrix_path
    return {
        **made_with(engine, results),
        "command": f"harness run --matrix {named}",
        "images": dict(images),
        "failed_builds": dict(failed_builds),
    }
