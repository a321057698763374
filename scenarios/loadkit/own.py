"""A team's own requests, as they come in a `workload` message."""

from __future__ import annotations

import base64
import binascii

from scenarios.loadkit.body import Body, Form, Json, Multipart, Part, Raw, Text
from scenarios.loadkit.errors import BadRequest
from scenarios.loadkit.expectation import checked_schema
from scenarios.loadkit.request import NO_BODY, Request
from scenarios.loadkit.user import LeanUser
from wire.workloads import FileContent, FilledRequest, RequestsWorkload


def own_requests(workload: RequestsWorkload) -> type[LeanUser]:
    """The user that sends them. Raises BadRequest naming the request."""
    attributes = {
        "requests": tuple(_request(told, f"requests.{n}") for n, told in enumerate(workload.requests)),
        "before": tuple(_request(told, f"before.{n}") for n, told in enumerate(workload.before)),
        "abstract": True,
    }
    user: type[LeanUser] = type("OwnRequests", (LeanUser,), attributes)
    return user


def _request(told: FilledRequest, where: str) -> Request:
    if told.expect.json_schema is not None:
        checked_schema(told.expect.json_schema, f"{where}.expect.json_schema")
    return Request(
        path=told.path,
        method=told.method.upper(),
        headers=tuple(told.headers.items()),
        body=_body(told, where),
        expect=told.expect,
        weight=told.weight,
        rows=told.rows,
        keep=told.keep,
        name=told.name,
    )


def _body(told: FilledRequest, where: str) -> Body:
    if told.files:
        parts = [_part(part, f"{where}.files.{n}") for n, part in enumerate(told.files)]
        return Multipart(told.form or {}, tuple(parts))
    if told.form is not None:
        return Form(told.form)
    if told.json is not None:
        return Json(told.json)
    if told.body is not None:
        return Text(told.body)
    if told.content_b64 is not None:
        return Raw(_decoded(told.content_b64, where))
    return NO_BODY


def _part(part: FileContent, where: str) -> Part:
    return Part(
        field_name=part.field_name,
        path=part.path,
        content_type=part.content_type,
        data=_decoded(part.content_b64, where),
    )


def _decoded(content_b64: str, where: str) -> bytes:
    try:
        return base64.b64decode(content_b64, validate=True)
    except binascii.Error as error:
        raise BadRequest(f"{where}.content_b64 is not base64: {error}") from error
