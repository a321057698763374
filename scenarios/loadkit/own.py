"""A team's own requests, as they come in a `workload` message."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from scenarios.loadkit.body import Body, Form, Json, Multipart, Part, Raw, Text
from scenarios.loadkit.errors import BadRequest
from scenarios.loadkit.expectation import Expected, checked_schema
from scenarios.loadkit.request import NO_BODY, Request
from scenarios.loadkit.spec import Fields
from scenarios.loadkit.user import LeanUser


def own_requests(fields: Fields) -> type[LeanUser]:
    """The user that sends them. Raises BadRequest naming the field."""
    attributes = {
        "requests": tuple(_requests(fields, "requests")),
        "before": tuple(_requests(fields, "before")),
        "abstract": True,
    }
    if not attributes["requests"]:
        raise BadRequest("workload.requests must hold at least one request")
    user: type[LeanUser] = type("OwnRequests", (LeanUser,), attributes)
    return user


def _requests(fields: Fields, key: str) -> list[Request]:
    messages = fields.items(key) if key in fields.message else []
    return [_request(message, f"workload.{key}[{place}]") for place, message in enumerate(messages)]


def _request(message: Any, where: str) -> Request:
    if not isinstance(message, dict):
        raise BadRequest(f"{where} must be an object, got {message!r:.80}")
    fields = Fields(message, where)
    path = fields.text("path")
    if not path.startswith("/"):
        raise BadRequest(f"{where}.path must start with /, got {path!r:.80}")
    return Request(
        path=path,
        method=str(message.get("method") or "GET").upper(),
        headers=tuple(_texts(message, "headers", where).items()),
        body=_body(message, fields, where),
        expect=_expected(message.get("expect") or {}, f"{where}.expect"),
        weight=fields.whole("weight", 1, 1_000_000) if "weight" in message else 1,
        rows=_rows(message.get("rows"), where),
        keep=_texts(message, "keep", where),
        name=str(message.get("name") or ""),
    )


def _body(message: Mapping[str, Any], fields: Fields, where: str) -> Body:
    files = message.get("files") or []
    if files:
        parts = [_part(Fields(part, f"{where}.files[{place}]")) for place, part in enumerate(files)]
        return Multipart(_texts(message, "form", where), tuple(parts))
    if message.get("form") is not None:
        return Form(_texts(message, "form", where))
    if message.get("json") is not None:
        return Json(message["json"])
    if message.get("body") is not None:
        return Text(fields.text("body"))
    if message.get("content_b64") is not None:
        return Raw(_decoded(fields))
    return NO_BODY


def _part(fields: Fields) -> Part:
    return Part(
        field_name=fields.text("field_name"),
        path=fields.text("path"),
        content_type=fields.text("content_type"),
        data=_decoded(fields),
    )


def _decoded(fields: Fields) -> bytes:
    try:
        return base64.b64decode(fields.text("content_b64"), validate=True)
    except binascii.Error as error:
        raise BadRequest(f"{fields.where}.content_b64 is not base64: {error}") from error


def _expected(message: Mapping[str, Any], where: str) -> Expected:
    schema = message.get("json_schema")
    return Expected(
        status=Fields(message, where).whole("status", 100, 599) if "status" in message else 200,
        json=message.get("json"),
        json_exact=message.get("json_exact"),
        text=message.get("text"),
        headers=_texts(message, "headers", where),
        json_schema=None if schema is None else checked_schema(schema, f"{where}.json_schema"),
    )


def _texts(message: Mapping[str, Any], key: str, where: str) -> dict[str, str]:
    value = message.get(key) or {}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise BadRequest(f"{where}.{key} must be an object of strings, got {value!r:.80}")
    return value


def _rows(rows: Any, where: str) -> tuple[Mapping[str, Any], ...]:
    if rows is None:
        return ()
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise BadRequest(f"{where}.rows must be a list of at least one object")
    columns = rows[0].keys()
    for number, row in enumerate(rows, start=1):
        if row.keys() != columns:
            raise BadRequest(f"{where}.rows: row {number} has other columns than the first one")
    return tuple(rows)
