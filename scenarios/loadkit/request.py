"""What a scenario sends and what it expects back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scenarios.loadkit.client import OK, Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One kind of GET request. Every scenario expects status 200."""

    path: str
    expect: bytes | Callable[[bytes], bool]
    """The exact body, or a check of it."""
    weight: int = 1
    headers: tuple[tuple[str, str], ...] = ()
    """Sent beside those that every request has."""

    def problem(self, answer: Answer) -> str | None:
        """What is wrong with the answer in a sentence, or None."""
        if answer.status != OK:
            return f"GET {self.path}: {answer} instead of status {OK}"
        right = self.expect(answer.body) if callable(self.expect) else answer.body == self.expect
        if not right:
            return f"GET {self.path}: unexpected body {answer.body[:200]!r} ({len(answer.body)} bytes)"
        return None


def json_body(build: Callable[[], Any]) -> Callable[[bytes], bool]:
    """A check that the body is the JSON of `build()`, which is called once, when first needed."""
    expected: list[Any] = []

    def check(body: bytes) -> bool:
        if not expected:
            expected.append(build())
        try:
            return bool(json.loads(body) == expected[0])
        except ValueError:
            return False

    return check
