"""Whether a run may go on where it stopped: only on the same matrix, images, engine and host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WATCHED = (
    "harness",
    "engine",
    "images",
    "host.host",
    "host.kernel",
    "host.cpu_model",
    "host.cpus_host",
    "host.cpus_affinity",
)


def changes_since(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """One line for every watched fact that differs, and one per changed matrix key."""
    found = []
    for key in WATCHED:
        old, new = _at(before, key), _at(now, key)
        if old != new:
            found.append(f"{key}: was {old!r}, is {new!r}")
    old_matrix, new_matrix = before["matrix"], now["matrix"]
    for key in sorted({*old_matrix, *new_matrix}):
        if old_matrix.get(key) != new_matrix.get(key):
            found.append(f"matrix.{key}: was {old_matrix.get(key)!r}, is {new_matrix.get(key)!r}")
    return found


def _at(facts: Mapping[str, Any], key: str) -> Any:
    value: Any = facts
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
