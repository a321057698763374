"""The frozen nouns of a team's own requests. All values are JSON values; "{name}" in texts is a variable.

A variable is a column of the request's `data`, a value kept by a step before, "{env:NAME}" (a secret, filled
in as the load starts and stored nowhere), or "{uuid}" (a new one each time).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wire.workloads import Expectation as Expectation


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePart:
    """A file in a multipart form."""

    field_name: str
    path: str
    """Relative to the matrix file."""
    content_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSpec:
    """One kind of request. At most one of `json`, `form` and `body` is given; `files` go with `form`."""

    path: str
    """Path and query, as on the request line; variables are percent-encoded when they are filled in."""
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    form: Mapping[str, str] | None = None
    files: tuple[FilePart, ...] = ()
    body: str | None = None
    """Raw text, sent as it is in UTF-8."""
    body_file: str | None = None
    """Raw bytes of a file, relative to the matrix file."""
    expect: Expectation = field(default_factory=Expectation)
    weight: int = 1
    data: str | None = None
    """CSV or JSONL file, relative to the matrix file; its rows are taken in turn, from the start again."""
    keep: Mapping[str, str] = field(default_factory=dict)
    """Steps before only: variable to "json:PATH" (dotted, numbers are indices), "header:NAME" or
    "cookie:NAME"."""
