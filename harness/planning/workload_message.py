"""A scenario's workload as the load generator is told it: files read in, secrets filled in. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from harness.errors import ConfigurationError
from harness.model import Scenario
from harness.planning.rows import Rows, RowsError, parse_rows
from harness.planning.variables import names_in, request_texts, secrets_in
from harness.workload import FilePart, RequestSpec
from wire.workloads import (
    UUID,
    VARIABLE,
    BundledWorkload,
    FileContent,
    FilledRequest,
    LocustWorkload,
    RequestsWorkload,
    Workload,
)

SECRET = re.compile(r"\{env:([A-Za-z_]\w*)\}", re.ASCII)

Files = Mapping[str, bytes]
Secrets = Mapping[str, str]


def workload_message(scenario: Scenario, files: Files, secrets: Secrets) -> Workload:
    """A scenario's workload.

    `files` are the bytes of every file the scenario names, by its path there; `secrets` the values of
    "{env:NAME}". Raises ConfigurationError naming everything that cannot be filled in.
    """
    if scenario.locustfile.endswith(".py"):
        problems: list[str] = []
        source = _file(scenario.locustfile, files, "locustfile", problems)
        _raise(scenario, problems)
        return LocustWorkload(
            name=PurePosixPath(scenario.locustfile).name, source=source.decode("utf-8"), env=dict(secrets)
        )
    if not scenario.requests:
        return BundledWorkload(locustfile=scenario.locustfile)
    problems = []
    kept: set[str] = set()
    before = []
    for place, step in enumerate(scenario.before):
        before.append(_request(step, f"before[{place}]", files, secrets, frozenset(kept), problems))
        kept.update(step.keep)
    requests = [
        _request(spec, f"requests[{place}]", files, secrets, frozenset(kept), problems)
        for place, spec in enumerate(scenario.requests)
    ]
    _raise(scenario, problems)
    return RequestsWorkload(requests=tuple(requests), before=tuple(before))


def dealt(workload: Workload, index: int, hands: int) -> Workload:
    """The workload for one of several load agents: of a file of data each `hands`-th row, from row `index`.

    So no two agents send the same row, and together they go through a file as one would. One with fewer rows
    than there are agents is dealt again from its start.
    """

    def hand(requests: tuple[FilledRequest, ...]) -> tuple[FilledRequest, ...]:
        return tuple(
            replace(request, rows=rows[index % len(rows) :: hands]) if (rows := request.rows) else request
            for request in requests
        )

    if not isinstance(workload, RequestsWorkload):
        return workload
    return replace(workload, requests=hand(workload.requests), before=hand(workload.before))


@dataclass(frozen=True, slots=True)
class WorkloadKey:
    """What makes a scenario's workload another one than the last."""

    locustfile: str
    requests: tuple[RequestSpec, ...]
    before: tuple[RequestSpec, ...]
    hands: int
    """How many agents its rows are dealt among."""

    @classmethod
    def of(cls, scenario: Scenario, hands: int) -> WorkloadKey:
        has_rows = any(spec.data for spec in (*scenario.before, *scenario.requests))
        return cls(scenario.locustfile, scenario.requests, scenario.before, hands if has_rows else 1)


def files_of(scenario: Scenario) -> tuple[str, ...]:
    """The paths of every file that the workload reads, as the scenario names them, each once."""
    found = [scenario.locustfile] if scenario.locustfile.endswith(".py") else []
    for spec in (*scenario.before, *scenario.requests):
        found += [part.path for part in spec.files]
        found += [path for path in (spec.data, spec.body_file) if path is not None]
    return tuple(dict.fromkeys(found))


def _request(
    spec: RequestSpec,
    where: str,
    files: Files,
    secrets: Secrets,
    kept: frozenset[str],
    problems: list[str],
) -> FilledRequest:
    rows = _rows(spec, files, where, problems)
    columns = frozenset(rows[0]) if rows else frozenset()
    for place, text in request_texts(where, spec):
        for name in names_in(text):
            if name not in columns | kept | {UUID}:
                problems.append(_unknown(place, name, spec.data, columns, kept))
        for name in secrets_in(text):
            if name not in secrets:
                problems.append(f"{place}: {{env:{name}}} has no value. Fix: set {name}")

    def fill(template: Any) -> Any:
        return _filled(template, secrets, _escaped)

    content = None if spec.body_file is None else _file(spec.body_file, files, f"{where}.body_file", problems)
    return FilledRequest(
        name=f"{spec.method} {spec.path}",
        method=spec.method,
        path=_filled(spec.path, secrets, lambda value: quote(value, safe="")),
        headers=fill(dict(spec.headers)),
        json=fill(spec.json),
        form=None if spec.form is None else fill(dict(spec.form)),
        files=tuple(_part(part, files, f"{where}.files[{n}]", problems) for n, part in enumerate(spec.files)),
        body=fill(spec.body),
        content_b64=None if content is None else _b64(content),
        expect=replace(
            spec.expect,
            json=fill(spec.expect.json),
            json_exact=fill(spec.expect.json_exact),
            text=fill(spec.expect.text),
            headers=fill(dict(spec.expect.headers)),
        ),
        weight=spec.weight,
        keep=spec.keep,
        rows=rows,
    )


def _rows(spec: RequestSpec, files: Files, where: str, problems: list[str]) -> Rows:
    if spec.data is None:
        return ()
    data = _file(spec.data, files, f"{where}.data", problems)
    if spec.data not in files:
        return ()
    try:
        return parse_rows(spec.data, data)
    except RowsError as error:
        problems.append(f"{where}.data: {error}")
        return ()


def _part(part: FilePart, files: Files, where: str, problems: list[str]) -> FileContent:
    return FileContent(
        field_name=part.field_name,
        path=part.path,
        content_type=part.content_type,
        content_b64=_b64(_file(part.path, files, f"{where}.path", problems)),
    )


def _file(path: str, files: Files, where: str, problems: list[str]) -> bytes:
    if path not in files:
        problems.append(f"{where} = {path!r} was not found. Fix: give a path relative to the matrix file")
    return files.get(path, b"")


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _unknown(where: str, name: str, data: str | None, columns: frozenset[str], kept: frozenset[str]) -> str:
    known = [f"columns of {data}: {', '.join(sorted(columns))}"] if columns else []
    known += [f"kept by a step before: {', '.join(sorted(kept))}"] if kept else []
    return (
        f"{where}: nothing gives {{{name}}} a value ({'; '.join(known) or 'there is no data and no step'}). "
        f"Fix: add it as a column or a kept value, or write {{{{{name}}}}} for the text itself"
    )


def _escaped(value: str) -> str:
    """A secret that looks like a variable is none."""
    return VARIABLE.sub(lambda found: f"{{{found[0]}}}", value)


def _filled(template: Any, secrets: Secrets, quoted: Callable[[str], str]) -> Any:
    """With the secrets in place of their names; everything else stays for the load generator to fill in."""

    def value(found: re.Match[str]) -> str:
        return quoted(secrets[found[1]]) if found[1] in secrets else found[0]

    if isinstance(template, str):
        return SECRET.sub(value, template)
    if isinstance(template, list | tuple):
        return [_filled(item, secrets, quoted) for item in template]
    if isinstance(template, Mapping):
        return {key: _filled(item, secrets, quoted) for key, item in template.items()}
    return template


def _raise(scenario: Scenario, problems: list[str]) -> None:
    if problems:
        raise ConfigurationError(f"scenario {scenario.name!r}", problems)
