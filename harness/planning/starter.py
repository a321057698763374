"""A first harness.toml: what was found, and why, as a file with comments and as lines for the terminal.

One list of settings makes both, so that the file and the terminal cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from harness.model import OWN_COMMAND
from harness.planning import toml_text
from harness.planning.request_text import request_lines
from harness.workload import RequestSpec

RECIPES = ("uvicorn-standard", "gunicorn-uvicorn")
WORKERS = (1, 2)
CLIENTS = 16
BLOCKS, BUDGET_S = 6, 300.0
HEADER = (
    "Written by `harness init`. What it assumed is said above each line: correct what is wrong. "
    "`harness plan` shows what a run would do, `harness run` does it."
)
VERIFIED = (
    "Only the status is checked so far: `harness run` verifies every request before it measures. "
    "`harness schema` prints all keys: methods, bodies, logins, weights, data."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One line of the file."""

    key: str
    value: Any
    why: str = ""
    """Why it is so: a comment above the line, and said in the terminal."""
    off: bool = False
    """An alternative: written as a comment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDraft:
    """A [[target.services]] with its environment."""

    settings: tuple[Setting, ...]
    env: tuple[Setting, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRequest:
    """A GET request of the first workload."""

    path: str
    status: int = 200
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """All that goes into the file."""

    name: str
    target: tuple[Setting, ...]
    env: tuple[Setting, ...] = ()
    services: tuple[ServiceDraft, ...] = ()
    requests: tuple[FirstRequest, ...]
    workload: tuple[RequestSpec, ...] = ()
    """Requests that were imported; they take the place of the first ones."""
    before: tuple[RequestSpec, ...] = ()
    imported_from: str = ""
    black_box: bool = False
    """Measured as it is, by its own command."""
    left_out: tuple[str, ...] = ()
    """What was found and cannot be used, each with the reason or the way out."""


def render(draft: Draft) -> str:
    """The file's text."""
    lines = [toml_text.comment(HEADER), "", f"name = {toml_text.value(draft.name)}", "", "[target]"]
    lines += _settings(draft.target)
    if draft.env:
        lines += ["", "[target.env]", *_settings(draft.env)]
    for service in draft.services:
        lines += ["", "[[target.services]]", *_settings(service.settings)]
        if service.env:
            lines += ["", "[target.services.env]", *_settings(service.env)]
    if draft.left_out:
        lines += ["", "# Not taken over:"]
        lines += [toml_text.comment(text, indent="- ") for text in draft.left_out]
    return "\n".join([*lines, "", *_measuring(draft), ""])


def said(draft: Draft) -> Iterator[str]:
    """What was assumed, a line each."""
    for setting in draft.target:
        if setting.why:
            yield _line(setting)
    yield from (f"env: {_line(setting)}" for setting in draft.env if setting.why)
    for service in draft.services:
        (name,) = (setting.value for setting in service.settings if setting.key == "name")
        yield from (f"{name}: {_line(s)}" for s in (*service.settings, *service.env) if s.why)
    if draft.workload:
        yield f"{len(draft.workload)} requests from {draft.imported_from}"
    for request in () if draft.workload else draft.requests:
        yield f"GET {request.path}, expecting {request.status} ({request.why})"
    yield from (f"not taken over: {text}" for text in draft.left_out)


def _measuring(draft: Draft) -> Iterator[str]:
    recipes, workers = ((OWN_COMMAND,), (1,)) if draft.black_box else (RECIPES, WORKERS)
    yield "[factors]"
    if draft.black_box:
        yield toml_text.comment("Its own command, as it is: a black box. What is inside is not checked.")
    else:
        yield toml_text.comment("The servers and worker counts to compare. `harness list` names all recipes.")
    yield f"recipe = {toml_text.value(recipes)}"
    yield f"workers = {toml_text.value(workers)}"
    yield from ("", "[[scenarios]]", 'name = "first-requests"')
    yield toml_text.comment(f"Assumed: {CLIENTS} clients, each with one request at a time.")
    yield f"load = {{ clients = {CLIENTS} }}"
    yield from ("warmup_s = 1.0", "measure_s = 3.0")
    yield toml_text.comment("Assumed: a request that takes longer than this is slow.")
    yield from ("slo_ms = 100.0", "")
    if not draft.workload:
        yield toml_text.comment(VERIFIED)
    if draft.workload:
        yield toml_text.comment(
            f"From {draft.imported_from}; weights are the mix seen there. `harness run` verifies every "
            f"request before it measures."
        )
    for spec in draft.workload:
        yield from (*request_lines(spec), "")
    for step in draft.before:
        yield from (*request_lines(step, "before"), "")
    for request in () if draft.workload else draft.requests:
        yield from ("[[scenarios.requests]]", toml_text.comment(request.why))
        yield f"path = {toml_text.value(request.path)}"
        yield f"expect = {{ status = {request.status} }}"
        yield ""
    yield "[design]"
    yield toml_text.comment(f"Each block measures every variant once; after {BUDGET_S:.0f} s none begins.")
    yield f"blocks = {BLOCKS}"
    yield f"budget_s = {BUDGET_S}"


def _settings(settings: Iterable[Setting]) -> Iterator[str]:
    for setting in settings:
        if setting.why:
            yield toml_text.comment(setting.why)
        line = f"{toml_text.key(setting.key)} = {toml_text.value(setting.value)}"
        yield f"# {line}" if setting.off else line


def _line(setting: Setting) -> str:
    shown = setting.value if isinstance(setting.value, str) else toml_text.value(setting.value)
    return f"{'not used: ' if setting.off else ''}{setting.key} = {shown} ({setting.why})"
