"""Reads a matrix file; every mistake in it is reported at once, with its key and a suggestion."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from harness.errors import ConfigurationError
from harness.model import Matrix
from harness.planning.matrix import resolve
from harness.planning.schema import MatrixFile
from harness.planning.suggestions import unknown

MAX_BYTES = 1_000_000
MARKER = "Dockerfile.variants"


def find_project(start: Path) -> Path:
    """The checkout that holds `start`: the nearest directory above it with a Dockerfile.variants."""
    for directory in (start.resolve(), *start.resolve().parents):
        if (directory / MARKER).is_file():
            return directory
    raise ConfigurationError(
        str(start), [f"no {MARKER} here or above; run harness inside a checkout of the project"]
    )


def load_matrix(
    path: Path, *, project: Path, server_cpus: tuple[int, ...], generator_cpus: tuple[int, ...]
) -> Matrix:
    """Read, check and resolve a matrix file for this machine. Raises ConfigurationError."""
    file = parse_matrix(_read(path), where=str(path), scenarios=scenario_names(project))
    return resolve(
        file,
        where=str(path),
        host_cpus=os.cpu_count() or 1,
        server_cpus=server_cpus,
        generator_cpus=generator_cpus,
    )


def scenario_names(project: Path) -> tuple[str, ...]:
    """Stems of the Locust files in scenarios/."""
    return tuple(sorted(p.stem for p in (project / "scenarios").glob("*.py") if p.stem != "__init__"))


def parse_matrix(text: str, *, where: str, scenarios: tuple[str, ...]) -> MatrixFile:
    """The matrix file as a model; raises ConfigurationError with all mistakes."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(where, [f"not valid TOML: {error}"]) from error
    problems = _unknown_scenarios(table, scenarios)
    try:
        file = MatrixFile.model_validate(table)
    except ValidationError as error:
        raise ConfigurationError(where, [*_explained(error), *problems]) from error
    if problems:
        raise ConfigurationError(where, problems)
    return file


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigurationError(str(path), [f"larger than {MAX_BYTES:,} bytes; this is no matrix file"])
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        nearby = sorted(str(p) for p in path.parent.glob("*.toml")) if path.parent.is_dir() else []
        hint = f"there are {', '.join(nearby)}" if nearby else "`harness list` shows the matrices there are"
        raise ConfigurationError(str(path), [f"no such file; {hint}"]) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(str(path), [f"cannot be read: {error}"]) from error


def _unknown_scenarios(table: Mapping[str, Any], known: tuple[str, ...]) -> list[str]:
    scenarios = table.get("scenarios")
    if not isinstance(scenarios, list):
        return []
    problems = []
    for index, scenario in enumerate(scenarios):
        stem = scenario.get("locustfile", scenario.get("name")) if isinstance(scenario, dict) else None
        if isinstance(stem, str) and stem not in known:
            problems.append(f"scenarios.{index}: {unknown('Locust file', stem, known)}")
    return problems


def _explained(error: ValidationError) -> list[str]:
    """One line per mistake. Where a key takes several forms, only the form that fits best is spoken of."""
    problems: dict[str, str] = {}
    for item in error.errors():
        location = tuple(part for part in item["loc"] if not _names_a_form(part))
        key = ".".join(map(str, location)) or "the file"
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            message = _unknown_key(location)
        elif not isinstance(item["input"], dict | list) and repr(item["input"]) not in message:
            message = f"{message} (got {item['input']!r})"
        problems[key] = f"{problems[key]}, or: {message}" if key in problems else message
    return [f"{key}: {message}" for key, message in problems.items()]


def _names_a_form(part: int | str) -> bool:
    """Pydantic puts the tried form of a union, such as `constrained-int`, into the location."""
    return isinstance(part, str) and ("[" in part or "-" in part or part in _FORMS)


_FORMS = {"int", "str", "float", "bool", "Closed", "Open", "WorkerRule"}


def _unknown_key(location: tuple[int | str, ...]) -> str:
    return unknown("key", str(location[-1]), _table_at(location[:-1]).model_fields)


def _table_at(location: tuple[int | str, ...]) -> type[BaseModel]:
    """The model of the table at a location of the file."""
    model: type[BaseModel] = MatrixFile
    for part in location:
        if isinstance(part, str) and part in model.model_fields:
            model = next(_models_in(model.model_fields[part].annotation), model)
    return model


def _models_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
