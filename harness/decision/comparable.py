"""The facts that forbid a comparison of two stored runs, in one place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

WATCHED = (
    "harness",
    "engine",
    "host.host",
    "host.kernel",
    "host.cpu_model",
    "host.cpus_host",
    "host.cpus_affinity",
)
"""Of the manifests: who measured, with what, on which machine. A run goes on only where they agree."""

MUST_AGREE = (*WATCHED, "engine_facts.engine_version")
"""Two runs are compared only where these agree."""

SAME_WORKLOAD = ("server_cpus", "generator_cpus", "slices")
"""Of the matrices, besides the scenarios that both have: what else decides the figures."""


def differences(base: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """One line for each fact that differs between two manifests; empty where the runs may be compared."""
    return tuple(_differences(base, new))


def _differences(base: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for key in MUST_AGREE:
        if (before := fact_at(base, key)) != (after := fact_at(new, key)):
            yield f"{key}: {before!r} and {after!r}"
    matrices = base["matrix"], new["matrix"]
    for key in SAME_WORKLOAD:
        before, after = (matrix.get(key) for matrix in matrices)
        if before != after:
            yield f"matrix.{key}: {before!r} and {after!r}"
    scenarios = [{scenario["name"]: scenario for scenario in matrix["scenarios"]} for matrix in matrices]
    shared = [name for name in scenarios[0] if name in scenarios[1]]
    if not shared:
        yield "scenarios: none is in both runs"
    for name in shared:
        one, other = (known[name] for known in scenarios)
        changed = sorted(key for key in {*one, *other} if one.get(key) != other.get(key))
        if changed:
            yield f"scenario {name}: {', '.join(changed)} differ"


def fact_at(facts: Mapping[str, Any], key: str) -> Any:
    """The value at a dotted key of at most two parts; None where there is none."""
    group, _, entry = key.partition(".")
    value = facts.get(group)
    return value.get(entry) if entry and isinstance(value, Mapping) else value
