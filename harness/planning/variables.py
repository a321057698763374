"""Variables in the texts of requests: "{name}", "{env:NAME}" and "{uuid}"; "{{name}}" is the text itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from harness.model import Scenario
from harness.workload import RequestSpec
from wire.workloads import VARIABLE

PREFIXED = re.compile(r"\{([A-Za-z_]\w*):([^{}\s\"]*)\}", re.ASCII)
ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
ENV = "env"


def texts_in(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Place and text of every string in a JSON value, but for the keys of tables."""
    stack: list[tuple[Any, str]] = [(value, place)]
    while stack:
        item, where = stack.pop()
        if isinstance(item, str):
            yield where, item
        elif isinstance(item, dict):
            stack += [(inner, f"{where}.{key}") for key, inner in item.items()]
        elif isinstance(item, list | tuple):
            stack += [(inner, f"{where}.{index}") for index, inner in enumerate(item)]


def names_in(text: str) -> tuple[str, ...]:
    """The variables of a text, in order, but for those with a prefix."""
    return tuple(dict.fromkeys(found[2] for found in VARIABLE.finditer(text) if found[2]))


def secrets_in(text: str) -> tuple[str, ...]:
    """NAME of every {env:NAME}."""
    return tuple(dict.fromkeys(what for prefix, what in PREFIXED.findall(text) if prefix == ENV))


def odd_prefixes_in(text: str) -> tuple[str, ...]:
    """Placeholders such as {file:x}, which nothing fills in."""
    return tuple(f"{{{prefix}:{what}}}" for prefix, what in PREFIXED.findall(text) if prefix != ENV)


def request_texts(key: str, request: RequestSpec) -> Iterator[tuple[str, str]]:
    """Key and text of everything in a request that variables are filled into."""
    expect = request.expect
    parts: tuple[tuple[str, Any], ...] = (
        ("path", request.path),
        ("headers", dict(request.headers)),
        ("json", request.json),
        ("form", None if request.form is None else dict(request.form)),
        ("body", request.body),
        ("expect.json", expect.json),
        ("expect.json_exact", expect.json_exact),
        ("expect.text", expect.text),
        ("expect.headers", dict(expect.headers)),
    )
    for name, value in parts:
        yield from texts_in(value, f"{key}.{name}")


def secrets_of(scenario: Scenario) -> frozenset[str]:
    """NAME of every {env:NAME} in the requests of a scenario."""
    return frozenset(
        name
        for request in (*scenario.before, *scenario.requests)
        for _, text in request_texts("", request)
        for name in secrets_in(text)
    )
