"""A workload as the agent gets it: files read in, secrets filled in; "{name}" in texts is a variable."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field

VARIABLE = re.compile(r"\{(\{[A-Za-z_][\w.-]*\})\}|\{([A-Za-z_][\w.-]*)\}", re.ASCII)
"""In texts: the text "{name}" itself, written "{{name}}", or the variable of that name."""
UUID = "uuid"
"""The variable that is another random one in each request."""
MAX_ROWS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What an answer must be; what is None is not looked at."""

    status: Annotated[int, Field(ge=100, le=599)] = 200
    json: Any = None
    """Every member given here must be in the answer, with this value; lists must be equal in length."""
    json_exact: Any = None
    """The answer must be this and nothing else."""
    text: str | None = None
    """Must be found in the answer's text."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in any case; values must be equal."""
    json_schema: Mapping[str, Any] | None = None
    """A JSON Schema, draft 2020-12, that the answer must be valid under."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileContent:
    """A file in a multipart form."""

    field_name: str
    path: str
    content_type: str
    content_b64: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledRequest:
    """One kind of request. At most one of `json`, `form`, `body`, `content_b64`; `files` go with `form`."""

    path: Annotated[str, Field(pattern="^/")]
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    form: Mapping[str, str] | None = None
    files: tuple[FileContent, ...] = ()
    body: str | None = None
    content_b64: str | None = None
    expect: Expectation = field(default_factory=Expectation)
    weight: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    rows: Annotated[tuple[Mapping[str, Any], ...], Field(max_length=MAX_ROWS)] = ()
    """Values of variables, taken in turn, from the start again."""
    keep: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    """Without what may not be shown, such as a secret in the path; empty: method and path."""

    def __post_init__(self) -> None:
        """Raises ValueError where rows have different columns."""
        for number, row in enumerate(self.rows, start=1):
            if row.keys() != self.rows[0].keys():
                raise ValueError(f"row {number} has other columns than the first one")


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledWorkload:
    """A file of scenarios/, by its stem."""

    locustfile: str
    kind: Literal["bundled"] = "bundled"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocustWorkload:
    """A Locust file as it was written, and the variables that it reads."""

    name: str
    source: str
    env: Mapping[str, str] = field(default_factory=dict)
    kind: Literal["locustfile"] = "locustfile"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestsWorkload:
    """A team's own requests, and the steps that each client takes before its first one."""

    requests: Annotated[tuple[FilledRequest, ...], Field(min_length=1)]
    before: tuple[FilledRequest, ...] = ()
    kind: Literal["requests"] = "requests"


Workload = Annotated[BundledWorkload | LocustWorkload | RequestsWorkload, Field(discriminator="kind")]
