"""Reads a matrix file; every mistake in it is reported at once, with its key and a suggestion."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from harness.adapters.surroundings import surroundings
from harness.adapters.workload_files import read_all
from harness.errors import ConfigurationError
from harness.model import Matrix
from harness.planning.matrix import Known, resolve
from harness.planning.request_checks import file_paths, oddities
from harness.planning.schema import MatrixFile
from harness.planning.suggestions import unknown
from harness.planning.target_checks import assumptions

Change = Callable[[MatrixFile], MatrixFile]
OWN_FILE = "harness.toml"
"""What a team's own matrix file is called: read where no other is named."""
MAX_BYTES = 100_000
"""tomllib takes time quadratic in the depth of a dotted key: this bounds it to about a minute."""


def as_it_is(file: MatrixFile) -> MatrixFile:
    return file


def load_matrix(
    path: Path,
    *,
    project: Path,
    server_cpus: tuple[int, ...],
    generator_cpus: tuple[int, ...],
    environ: Mapping[str, str] = os.environ,
    change: Change = as_it_is,
) -> Matrix:
    """Read, check, change and resolve a matrix file for this machine. Raises ConfigurationError."""
    file = _file(path, project, change)
    return resolve(
        file,
        where=str(path),
        host_cpus=os.cpu_count() or 1,
        server_cpus=server_cpus,
        generator_cpus=generator_cpus,
        known=_known(path.parent, file, environ),
    )


def remarks(path: Path, *, project: Path, change: Change = as_it_is) -> tuple[str, ...]:
    """What a matrix file leaves to be assumed, and what in it is odd, in sentences.

    Raises ConfigurationError.
    """
    file = _file(path, project, change)
    return (*assumptions(file, surroundings(path.parent, file)), *oddities(file))


def _file(path: Path, project: Path, change: Change) -> MatrixFile:
    return change(parse_matrix(_read(path), where=str(path), scenarios=scenario_names(project)))


def _known(directory: Path, file: MatrixFile, environ: Mapping[str, str]) -> Known:
    around = surroundings(directory, file)
    named = [item for i, table in enumerate(file.scenarios) for item in file_paths(f"scenarios.{i}", table)]
    files, problems = read_all(directory, named)
    return Known(
        around=around,
        files=files,
        secret_names=frozenset((*environ, *(around.secret_names if around else ()))),
        host_memory_mib=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20,
        problems=tuple(problems),
    )


def scenario_names(project: Path) -> tuple[str, ...]:
    """Stems of the Locust files in scenarios/."""
    return tuple(sorted(p.stem for p in (project / "scenarios").glob("*.py") if p.stem != "__init__"))


def parse_matrix(text: str, *, where: str, scenarios: tuple[str, ...]) -> MatrixFile:
    """The matrix file as a model; raises ConfigurationError with all mistakes."""
    try:
        table = tomllib.loads(text)
    except RecursionError as error:
        raise ConfigurationError(where, ["nested too deeply; a matrix file needs four levels"]) from error
    except ValueError as error:
        raise ConfigurationError(where, [f"not valid TOML: {error}{_the_line(text, str(error))}"]) from error
    problems = _unknown_scenarios(table, scenarios)
    try:
        file = MatrixFile.model_validate(table)
    except ValidationError as error:
        raise ConfigurationError(where, [*_explained(error), *problems]) from error
    if problems:
        raise ConfigurationError(where, problems)
    return file


def _the_line(text: str, message: str) -> str:
    """The line that a message of the TOML reader names by its number."""
    found = re.search(r"at line (\d+)", message)
    lines = text.splitlines()
    if found is None or int(found[1]) > len(lines):
        return ""
    line = lines[int(found[1]) - 1].strip()[:80]
    twice = ". This key or table stands twice. Fix: keep one" if "overwrite" in message else ""
    return f": {line!r}{twice}"


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigurationError(str(path), [f"larger than {MAX_BYTES:,} bytes; this is no matrix file"])
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        if path.name == OWN_FILE:
            fix = "`harness init` writes one for your app, `--matrix quick` measures the example"
            raise ConfigurationError(str(path), [f"no such file.\n    Fix: {fix}"]) from error
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
        if not isinstance(scenario, dict) or "requests" in scenario:
            continue
        stem = scenario.get("locustfile", scenario.get("name"))
        if isinstance(stem, str) and not stem.endswith(".py") and stem not in known:
            hint = "" if "locustfile" in scenario else ". Fix: add [[scenarios.requests]], or a locustfile"
            problems.append(f"scenarios.{index}: {unknown('Locust file', stem, known)}{hint}")
    return problems


def _explained(error: ValidationError) -> list[str]:
    """One line per key. Of the forms that a key may take, only those like the value are spoken of."""
    items = [(item, *_resolved(item["loc"])) for item in error.errors()]
    within = {keys[:end] for item, keys, _ in items if not _is_unlike(item) for end in range(len(keys) + 1)}
    problems: dict[str, str] = {}
    for item, keys, table in items:
        if _is_unlike(item) and keys in within:
            continue
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "missing":
            message = f"{message}{_what_it_is(item)}"
        if item["type"] == "extra_forbidden":
            unknown_key = str(item["loc"][-1])
            keys, message = (*keys, unknown_key), unknown("key", unknown_key, _keys_of(table))
        elif not isinstance(item["input"], dict | list) and repr(item["input"]) not in message:
            message = f"{message} (got {item['input']!r})"
        key = ".".join(map(str, keys)) or "the file"
        problems[key] = f"{problems[key]}, or: {message}" if key in problems else message
    return [f"{key}: {message}" for key, message in problems.items()]


def _what_it_is(item: ErrorDetails) -> str:
    """Of a key that is missing, from its description."""
    *before, key = item["loc"]
    field = _keys_of(_resolved(tuple(before))[1]).get(str(key))
    return "" if field is None or not field.description else f": {' '.join(field.description.split())}"


def _is_unlike(item: ErrorDetails) -> bool:
    """Whether the value is another thing altogether, such as a text where a number should be."""
    return item["type"].endswith("_type") or item["type"] == "literal_error"


def _resolved(location: tuple[int | str, ...]) -> tuple[tuple[int | str, ...], type[BaseModel]]:
    """The indices and known keys of a pydantic location, and the model of the last table on the way.

    Between them pydantic names the form of a union that it tried, a model or such as `constrained-int`.
    """
    keys: list[int | str] = []
    table: type[BaseModel] = MatrixFile
    forms: dict[str, type[BaseModel]] = {}
    names_entries = False
    for part in location:
        if part == "[key]":
            continue  # pydantic's word for a mistake in a key that the file chose.
        if isinstance(part, int):
            keys.append(part)
        elif names_entries:
            keys.append(part)
            names_entries = False
        elif part in forms:
            table = forms[part]
        elif part in (fields := _keys_of(table)):
            keys.append(part)
            forms = {model.__name__: model for model in _models_in(fields[part].annotation)}
            names_entries = _is_mapping(fields[part].annotation)
            table = next(iter(forms.values()), table)
    return tuple(keys), table


def _keys_of(table: type[BaseModel]) -> dict[str, FieldInfo]:
    """As they stand in the file."""
    return {field.alias or name: field for name, field in table.model_fields.items()}


def _is_mapping(annotation: Any) -> bool:
    """Whether the file chooses the keys below it, such as those of `env`."""
    if get_origin(annotation) is dict:
        return True
    # Not within lists: a list's own index comes first.
    within = get_args(annotation) if get_origin(annotation) in (Annotated, Union, UnionType) else ()
    return any(_is_mapping(argument) for argument in within)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
