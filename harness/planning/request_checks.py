"""What is wrong with a team's own requests, found without sending any. Pure: files come as bytes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from harness.planning.locust_files import locust_problems
from harness.planning.rows import RowsError, columns_of, parse_rows
from harness.planning.schema import Closed, MatrixFile, Open, ScenarioTable
from harness.planning.schema_requests import RequestTable, StepTable
from harness.planning.tables import request_of
from harness.planning.variables import (
    ENV_NAME,
    names_in,
    odd_prefixes_in,
    request_texts,
    secrets_in,
    texts_in,
)
from wire.workloads import UUID

BODIES = ("json", "form", "body", "body_file")
BODYLESS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
Files = Mapping[str, bytes]


def scenario_problems(
    key: str, table: ScenarioTable, *, files: Files, secrets: Collection[str]
) -> Iterator[str]:
    """All mistakes of one scenario. `files` are those that could be read; the others are reported already."""
    if table.requests and table.locustfile is not None:
        yield f"{key}.locustfile: conflicts with requests. Fix: keep one of them"
    if table.before and not table.requests:
        yield f"{key}.before: goes with requests. Fix: log in in the Locust file's on_start"
    if table.locustfile in files:
        place = f"{key}.locustfile"
        yield from _python_problems(
            place, table.locustfile or "", files, closed=isinstance(table.load, Closed)
        )
    kept: dict[str, str] = {}
    columns = _columns(table, files)
    for index, step in enumerate(table.before):
        place = f"{key}.before.{index}"
        yield from _request_problems(place, step, kept=kept, columns=columns, secrets=secrets)
        yield from _keep_problems(place, step)
        kept.update(step.keep)
    for index, request in enumerate(table.requests):
        place = f"{key}.requests.{index}"
        yield from _request_problems(place, request, kept=kept, columns=columns, secrets=secrets)


def file_paths(key: str, table: ScenarioTable) -> Iterator[tuple[str, str]]:
    """Key and path of every file that a scenario reads."""
    if table.locustfile is not None and table.locustfile.endswith(".py"):
        yield f"{key}.locustfile", table.locustfile
    of_steps = [(f"{key}.before.{index}", step) for index, step in enumerate(table.before)]
    of_requests = [(f"{key}.requests.{index}", request) for index, request in enumerate(table.requests)]
    for place, request in (*of_steps, *of_requests):
        if request.data is not None:
            yield f"{place}.data", request.data
        if request.body_file is not None:
            yield f"{place}.body_file", request.body_file
        for field, given in request.files.items():
            yield f"{place}.files.{field}", given if isinstance(given, str) else given.path


def oddities(file: MatrixFile) -> Iterator[str]:
    """What is allowed and yet hardly meant, in sentences."""
    for index, point in enumerate(file.include):
        for number, pattern in enumerate(file.exclude):
            stated = {name: getattr(pattern, name) for name in pattern.model_fields_set}
            if all(getattr(point, name) == value for name, value in stated.items()):
                yield f"include.{index} is measured although exclude.{number} names it: include comes last"
    for index, table in enumerate(file.scenarios):
        key = f"scenarios.{index}"
        for number, request in enumerate(table.requests):
            if request.method in BODYLESS and has_body(request):
                yield f"{key}.requests.{number}: {request.method} with a body; many proxies drop it"
        if not isinstance(table.load, Open) and table.measure_s * 1000 < table.slo_ms:
            yield (
                f"{key}.measure_s = {table.measure_s:g}: shorter than slo_ms; slow requests do not end in "
                "the window. Raise it to several times the slowest answer"
            )


def _columns(table: ScenarioTable, files: Files) -> dict[str, frozenset[str] | str]:
    """Of each data file the columns, or what is wrong with it."""
    found: dict[str, frozenset[str] | str] = {}
    for request in (*table.before, *table.requests):
        path = request.data
        if path is None or path not in files or path in found:
            continue
        try:
            found[path] = columns_of(parse_rows(path, files[path]))
        except RowsError as error:
            found[path] = str(error)
    return found


def _request_problems(
    key: str,
    request: RequestTable,
    *,
    kept: Mapping[str, str],
    columns: Mapping[str, frozenset[str] | str],
    secrets: Collection[str],
) -> Iterator[str]:
    yield from _body_problems(key, request)
    yield from _schema_problems(f"{key}.expect.schema", request.expect.schema_)
    own = columns.get(request.data or "", frozenset())
    if isinstance(own, str):
        yield f"{key}.data: {own}"
    # Without its columns nobody can say which variables are missing.
    unsure = isinstance(own, str) or (request.data is not None and request.data not in columns)
    defined = {UUID, *kept, *(() if isinstance(own, str) else own)}
    for place, text in request_texts(key, request_of(request)):
        yield from _text_problems(place, text, secrets)
        for name in names_in(text):
            if name not in defined and not unsure:
                yield f"{place} = {_short(text)}: {_undefined(name, request, own, kept)}"


def _undefined(name: str, request: RequestTable, own: Collection[str], kept: Collection[str]) -> str:
    of_data = f"{request.data} has {_listed(own)}" if request.data else "there is no data file"
    of_steps = f"steps before keep {_listed(kept)}" if kept else "no step before keeps it"
    return (
        f"nothing defines {{{name}}}: {of_data}, and {of_steps}. "
        f"Fix: name one of these, or write {{{{{name}}}}} for the text itself"
    )


def _text_problems(place: str, text: str, secrets: Collection[str]) -> Iterator[str]:
    for name in secrets_in(text):
        if not ENV_NAME.fullmatch(name):
            yield f"{place}: {{env:{name}}} names no environment variable. Fix: write {{env:NAME}}"
        elif name not in secrets:
            yield (
                f"{place}: the environment variable {name} is not set. "
                f"Fix: export {name}=..., or add it to the file that target.env_file names"
            )
    # A raw body, such as GraphQL, may hold braces of its own.
    if not place.endswith(".body"):
        for odd in odd_prefixes_in(text):
            yield f"{place}: nothing fills in {odd}. Fix: write {{name}}, {{env:NAME}} or {{uuid}}"


def _body_problems(key: str, request: RequestTable) -> Iterator[str]:
    given = [name for name, value in zip(BODIES, _bodies(request), strict=True) if value is not None]
    if len(given) > 1:
        yield f"{key}: {' and '.join(given)} stand together. Fix: keep one of them"
    if request.files and any(name != "form" for name in given):
        yield f"{key}.files: goes with form only, not with {given[0]}. Fix: drop one of them"
    if request.method == "HEAD" and _looks_at_body(request):
        yield f"{key}.expect: an answer to HEAD has no body. Fix: expect status and headers only"


def _bodies(request: RequestTable) -> tuple[object, ...]:
    return (request.json_, request.form, request.body, request.body_file)


def has_body(request: RequestTable) -> bool:
    return bool(request.files) or any(body is not None for body in _bodies(request))


def _looks_at_body(request: RequestTable) -> bool:
    expect = request.expect
    return any(x is not None for x in (expect.json_, expect.json_exact, expect.text, expect.schema_))


def _keep_problems(key: str, step: StepTable) -> Iterator[str]:
    if UUID in step.keep:
        yield f"{key}.keep.{UUID}: {{uuid}} is a new UUID each time. Fix: choose another name"


def _schema_problems(key: str, schema: Mapping[str, Any] | None) -> Iterator[str]:
    if schema is None:
        return
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = ".".join([key, *map(str, error.absolute_path)])
        yield f"{where}: no valid JSON Schema: {_short(error.message)}. Fix: see json-schema.org"
    except RecursionError:
        yield f"{key}: nested too deeply"
    for place, text in texts_in(dict(schema), key):
        if place.endswith(".$ref") and not text.startswith("#"):
            yield f"{place}: {_short(text)} is in another document. Fix: copy it into this schema's $defs"


def _python_problems(key: str, path: str, files: Files, *, closed: bool) -> Iterator[str]:
    try:
        yield from (f"{key}: {path}: {problem}" for problem in locust_problems(files[path], closed=closed))
    except SyntaxError as error:
        yield f"{key}: {path}, line {error.lineno}: not valid Python: {error.msg}"
    except (ValueError, RecursionError, MemoryError) as error:
        yield f"{key}: {path}: not valid Python: {error}"


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)[:20]) or "no columns"


def _short(text: str) -> str:
    return repr(text if len(text) <= 100 else f"{text[:97]}...")
