"""What a scenario sends and what it expects back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scenarios.loadkit import expectation
from scenarios.loadkit.answer import OK, Answer
from scenarios.loadkit.body import Body, Raw
from scenarios.loadkit.expectation import quoted, status_problem
from scenarios.loadkit.template import Values, fill_path
from wire.workloads import Expectation

NO_VALUES: Values = {}
NO_BODY = Raw(b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One kind of request. Texts in it may hold variables."""

    path: str
    expect: bytes | Callable[[bytes], bool] | Expectation
    """The exact body, or a check of it, both with status 200; or all that an answer must be."""
    method: str = "GET"
    weight: int = 1
    headers: tuple[tuple[str, str], ...] = ()
    """Sent next to those that every request has, and instead of them."""
    body: Body = NO_BODY
    rows: tuple[Values, ...] = ()
    """Variables, taken in turn, from the start again."""
    keep: Mapping[str, str] = field(default_factory=dict)
    """Of steps before: variable to "json:a.b.0.c", "header:NAME" or "cookie:NAME"."""
    name: str = ""
    """Without what may not be shown, such as a secret in the path; empty: method and path."""

    @property
    def label(self) -> str:
        return self.name or f"{self.method} {self.path}"

    @property
    def bodyless(self) -> bool:
        """No answer to it has a body."""
        return self.method == "HEAD"

    @property
    def status(self) -> int:
        return self.expect.status if isinstance(self.expect, Expectation) else OK

    def problem(self, answer: Answer, values: Values = NO_VALUES) -> str | None:
        """What is wrong with the answer in a sentence, or None."""
        if answer.status < 0:
            return f"{self.label}: {answer}"
        if answer.status != self.status:
            return status_problem(self.label, fill_path(self.path, values), answer, self.status)
        if isinstance(self.expect, Expectation):
            expect = expectation.filled(self.expect, values) if values else self.expect
            found = expectation.problem(expect, answer)
            return f"{self.label}: {found}" if found else None
        right = self.expect(answer.body) if callable(self.expect) else answer.body == self.expect
        return None if right else f"{self.label}: unexpected body {quoted(answer.body)}"


def json_body(build: Callable[[], Any]) -> Callable[[bytes], bool]:
    """A check that the body is the JSON of `build()`, which is called once, when first needed."""
    expected: list[Any] = []

    def check(body: bytes) -> bool:
        if not expected:
            expected.append(build())
        try:
            return bool(json.loads(body) == expected[0])
        except (ValueError, RecursionError):
            return False

    return check
