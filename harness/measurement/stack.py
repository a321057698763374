"""What serves the app, as the probe reports it, against what its recipe should give."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from harness.deployment import ServerFacts
from harness.recipes.recipe import ExpectedStack

NONE = "none"


def differences(facts: ServerFacts, expected: ExpectedStack) -> Iterator[tuple[str, str, str]]:
    """Of each part that differs: its name, what it is, and how it should begin, or what it should be."""
    for name, found, wanted in (
        ("event loop", facts.loop, expected.loop),
        ("HTTP protocol", facts.http, expected.http),
        ("proxy", facts.front, expected.front),
        ("TLS", facts.tls, expected.tls),
        ("URL scheme", f"{facts.scheme}:", f"{expected.scheme}:"),
    ):
        inside, prefix = NONE if found is None else found, NONE if wanted is None else wanted
        if not inside.startswith(prefix):
            yield name, inside, prefix
    if set(facts.features) != set(expected.features):
        yield "list of features", _listed(facts.features), _listed(expected.features)


def _listed(features: Collection[str]) -> str:
    return ", ".join(sorted(features)) or NONE
