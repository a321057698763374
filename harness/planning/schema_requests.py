"""The tables [[scenarios.requests]] and [[scenarios.before]]: a team's own requests."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from harness.planning.schema_base import (
    CONTROL,
    PlainText,
    RelativePath,
    Table,
    UrlPath,
)

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
KEPT = re.compile(r"(json:[^\x00-\x1f]+|header:[!#$%&'*+.^_`|~0-9A-Za-z-]+|cookie:[^\s;,=\x00-\x1f]+)")
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")
OURS = frozenset({"x-harness-id", "content-length", "transfer-encoding", "connection", "host", "expect"})
"""Headers that the load generator writes itself."""
MAX_DEPTH = 64


def _method(text: str) -> str:
    if not TOKEN.fullmatch(text):
        raise ValueError(f"{text[:100]!r} is no HTTP method; write GET, POST, PUT, PATCH or DELETE")
    if text != text.upper():
        raise ValueError(f"{text[:100]!r} is not in capitals; methods are, write {text.upper()[:100]!r}")
    if text in ("CONNECT", "TRACE"):
        raise ValueError(f"{text} asks a proxy, not an app")
    return text


def _header_name(text: str) -> str:
    if not TOKEN.fullmatch(text):
        raise ValueError(f"{text[:100]!r} is no header name; use letters, digits and -")
    return text


def _header_value(text: str) -> str:
    if found := CONTROL.search(text.replace("\t", " ")):
        raise ValueError(f"control character {found[0]!r} in a header; remove it")
    try:
        text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise ValueError(f"{error.object[error.start]!r} cannot stand in a header; encode it") from error
    return text


def _sent_header(text: str) -> str:
    if text.lower() in OURS:
        raise ValueError(f"{text} is written by the load generator; leave it out")
    return text


def _variable_name(text: str) -> str:
    if not VARIABLE_NAME.fullmatch(text):
        raise ValueError(f"{text[:100]!r} is no variable name; use letters, digits and _, no digit first")
    return text


def _kept(text: str) -> str:
    if not KEPT.fullmatch(text):
        raise ValueError(f"{text[:100]!r}: write json:PATH (json:user.id), header:NAME or cookie:NAME")
    return text


def _json(value: Any) -> Any:
    if problem := _not_json(value, ()):
        raise ValueError(problem)
    return value


def _not_json(value: Any, place: tuple[str, ...]) -> str | None:
    """What TOML can say and JSON cannot."""
    where = f"at {'.'.join(place)}: " if place else ""
    if len(place) > MAX_DEPTH:
        return f"nested deeper than {MAX_DEPTH} levels; put it into a body_file"
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        problems = (_not_json(item, (*place, str(key))) for key, item in items)
        return next((problem for problem in problems if problem), None)
    if isinstance(value, float) and not math.isfinite(value):
        return f"{where}{value} is no JSON number"
    if not isinstance(value, str | bool | int | float):
        return f'{where}a date is no JSON value; write it in quotes: "{value}"'
    return None


HeaderValue = Annotated[str, StringConstraints(max_length=16_384), AfterValidator(_header_value)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
SentHeader = Annotated[HeaderName, AfterValidator(_sent_header)]
Json = Annotated[Any, AfterValidator(_json)]


class ExpectTable(Table):
    """What the answer must be; what is left out is not looked at, but for the status."""

    status: Annotated[int, Field(ge=200, le=599)] = 200
    """HTTP status."""
    json_: Json = Field(default=None, alias="json")
    """Members that the JSON answer must have, with these values; there may be more."""
    json_exact: Json = None
    """The JSON answer must be this and nothing else."""
    text: Annotated[str, StringConstraints(min_length=1)] | None = None
    """Text that the answer must contain."""
    headers: dict[HeaderName, HeaderValue] = {}
    """Headers that the answer must have, with these values."""
    schema_: Annotated[dict[str, Any], AfterValidator(_json)] | None = Field(default=None, alias="schema")
    """JSON Schema (draft 2020-12) that the JSON answer must be valid under."""


class FileTable(Table):
    """A file of a multipart form."""

    path: RelativePath
    """Relative to this file."""
    content_type: Annotated[PlainText, AfterValidator(_header_value)] = "application/octet-stream"
    """As sent with it."""


class RequestTable(Table):
    """One kind of request. "{name}" is a variable: a column of `data`, a kept value, {env:NAME} or {uuid}."""

    method: Annotated[str, AfterValidator(_method)] = "GET"
    """HTTP method."""
    path: UrlPath
    """Path and query, for example "/orders/{order_id}?full=1"."""
    headers: Annotated[dict[SentHeader, HeaderValue], Field(max_length=100)] = {}
    """Headers to send."""
    json_: Json = Field(default=None, alias="json")
    """A JSON body; a table or list as it is."""
    form: Annotated[dict[str, str], Field(max_length=1_000)] | None = None
    """Form fields; sent as multipart where there are `files`."""
    body: str | None = None
    """A raw body, as text."""
    body_file: RelativePath | None = None
    """A raw body from a file, relative to this file."""
    files: Annotated[dict[str, RelativePath | FileTable], Field(max_length=50)] = {}
    """Files of a multipart form, by field: a path, or { path = "a.jpg", content_type = "image/jpeg" }."""
    expect: ExpectTable = ExpectTable()
    """What the answer must be."""
    data: RelativePath | None = None
    """CSV (with a header) or JSONL file, relative to this file: each request takes the next row."""


class WeightedRequest(RequestTable):
    """One kind of request of a workload, and its share."""

    weight: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Its share: 3 is sent three times as often as 1."""


class StepTable(RequestTable):
    """A step that each client takes once, before its first request."""

    keep: Annotated[
        dict[Annotated[str, AfterValidator(_variable_name)], Annotated[str, AfterValidator(_kept)]],
        Field(max_length=50),
    ] = {}
    """Values to keep of the answer: variable = "json:access_token", "header:NAME" or "cookie:NAME"."""
