"""One entry of a HAR as a request: what of it is kept, what is hidden, what is left out."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from pydantic import BaseModel, ConfigDict, Field

from harness.importers.literals import (
    CONTROL,
    MAX_BODY,
    Unusable,
    escaped,
    fits_matrix,
    hidden,
    is_secret,
    target,
    without_secrets,
)
from harness.workload import Expectation, RequestSpec

LOGIN_HINT = (
    'Fix: add a step that logs in, [[scenarios.before]] with keep = { token = "json:access_token" }, and '
    'headers = { authorization = "Bearer {token}" } to the requests; or a fixed "Bearer {env:API_TOKEN}".'
)
FORM = "application/x-www-form-urlencoded"
KEPT_HEADERS = frozenset({"accept", "content-type"})
CREDENTIALS = frozenset({"cookie", "authorization", "proxy-authorization"})
NOT_OURS = ("x-forwarded-", "x-request-id", "x-client-data", "x-correlation-id", "x-harness-id")
"""Set by proxies, by the browser, or anew for each request."""
MAX_HEADER = 4096
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]{1,128}")
NOT_MODIFIED = 304

Text = Annotated[str, Field(max_length=1024 * 1024)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class Pair(_Part):
    """A header, or a field of a form."""

    name: Text
    value: Text | None = None


class PostData(_Part):
    mime_type: Text = Field(default="", alias="mimeType")
    text: Text | None = None
    params: list[Pair] = Field(default=[], max_length=1000)


class Request(_Part):
    method: Annotated[str, Field(max_length=32)]
    url: Text
    headers: list[Pair] = Field(default=[], max_length=1000)
    post_data: PostData | None = Field(default=None, alias="postData")


class Response(_Part):
    status: int


class Entry(_Part):
    request: Request
    response: Response
    resource_type: Annotated[str, Field(max_length=64)] | None = Field(default=None, alias="_resourceType")
    """Chromium's; Firefox and Playwright write none."""


class LeftOut(ValueError):
    """A request that cannot be sent as it was; the text says why."""


def request_of(entry: Entry, secrets: Counter[str]) -> RequestSpec:
    """The request as one of ours. What was hidden or left out of it is counted in `secrets`.

    Raises Unusable and LeftOut.
    """
    request = entry.request
    path, names = without_secrets(target(request.url))
    body, hidden_names = _body(request.post_data)
    secrets.update(f"{{env:{name}}}" for name in (*names, *hidden_names))
    headers = {**body.pop("headers", {}), **_headers(request.headers, secrets)}
    if "json" in body or "form" in body:
        # The sender sets it; a boundary or a charset of the recording would contradict the bytes sent.
        headers.pop("content-type", None)
    return RequestSpec(
        method=request.method.upper(),
        path=path,
        headers=headers,
        # No validators are sent, so what the browser had in its cache is sent in full.
        expect=Expectation(status=200 if entry.response.status == NOT_MODIFIED else entry.response.status),
        **body,
    )


def _headers(pairs: list[Pair], secrets: Counter[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for pair in pairs:
        name, value = pair.name.lower(), pair.value or ""
        if name in CREDENTIALS or (name.startswith("x-") and is_secret(name)):
            secrets[name] += 1
        elif name in KEPT_HEADERS or (name.startswith("x-") and not name.startswith(NOT_OURS)):
            if (
                CONTROL.search(value)
                or not TOKEN.fullmatch(name)
                or not value.isascii()
                or len(value) > MAX_HEADER
            ):
                raise LeftOut(f"its header {name[:40]!a} cannot be sent")
            headers[name] = escaped(value)
    return dict(sorted(headers.items()))


def _body(data: PostData | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fields of a RequestSpec that say the body, and the variables that hold its secrets."""
    if data is None or (not data.text and not data.params):
        return {}, ()
    if len(data.text or "") > MAX_BODY:
        raise LeftOut(f"its body is longer than {MAX_BODY // 1024} KiB")
    mime = data.mime_type.partition(";")[0].strip().lower()
    if mime.startswith("multipart/"):
        raise LeftOut("its body is a multipart form, whose files a HAR does not hold")
    if mime.endswith("json") and data.text:
        return _json_body(data.text)
    if mime == FORM:
        return _form_body(data)
    return {"body": _sendable(data.text or "")}, ()


def _json_body(text: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    names: list[str] = []
    try:
        safe = hidden(json.loads(text), names)
        raw = json.dumps(safe, allow_nan=False, separators=(",", ":"))
        fields = (
            {"json": safe}
            if fits_matrix(safe)
            else {"body": raw, "headers": {"content-type": "application/json"}}
        )
    except Unusable:
        raise
    except (ValueError, RecursionError) as error:
        raise LeftOut("its body is said to be JSON and is not") from error
    return fields, tuple(names)


def _form_body(data: PostData) -> tuple[dict[str, Any], tuple[str, ...]]:
    pairs = [(pair.name, pair.value or "") for pair in data.params]
    pairs = pairs or parse_qsl(data.text or "", keep_blank_values=True)
    names: list[str] = []
    fields = hidden(dict(pairs), names)
    if len(fields) == len(pairs) and fits_matrix(fields):
        return {"form": fields}, tuple(names)
    if names:
        raise LeftOut("its form holds a secret next to a field that is given twice")
    return {"body": urlencode(pairs), "headers": {"content-type": FORM}}, ()


def _sendable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise LeftOut("its body is not valid Unicode") from error
    return escaped(text)
