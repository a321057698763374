"""Requests as they stand in harness.toml. Pure: nouns in, lines out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.planning import toml_text
from harness.workload import Expectation, RequestSpec

MEMBERS = {
    "status": "status",
    "json": "json",
    "json_exact": "json_exact",
    "text": "text",
    "headers": "headers",
    "json_schema": "schema",
}
"""Of an expectation: the noun's field and the file's key."""


def request_lines(spec: RequestSpec, table: str = "requests") -> Iterator[str]:
    """One [[scenarios.requests]] (or `before`) with what is not the default."""
    yield f"[[scenarios.{table}]]"
    for key, value in _members(spec):
        yield f"{key} = {toml_text.value(value)}"


def _members(spec: RequestSpec) -> Iterator[tuple[str, Any]]:
    if spec.method != "GET":
        yield "method", spec.method
    yield "path", spec.path
    for key in ("headers", "json", "form", "body", "body_file", "data", "keep"):
        value = getattr(spec, key)
        if value is not None and value != {}:
            yield key, value
    if spec.files:
        parts = {
            part.field_name: {"path": part.path, "content_type": part.content_type} for part in spec.files
        }
        yield "files", parts
    yield "expect", expectation(spec.expect)
    if spec.weight != 1:
        yield "weight", spec.weight


def expectation(expect: Expectation) -> dict[str, Any]:
    """The status is always said: it is what a reader looks for first."""
    found = {key: getattr(expect, name) for name, key in MEMBERS.items()}
    return {key: value for key, value in found.items() if value is not None and value != {}}
