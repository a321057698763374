"""Whether a run may go on where it stopped: only on the same matrix, images, engine and host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.decision.comparable import WATCHED, fact_at


def matrix_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """One line for every value of the matrix that differs, at its dotted key."""
    return list(_differences("matrix", before, now))


def _differences(key: str, before: Any, now: Any) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in sorted({*before, *now}):
            yield from _differences(f"{key}.{name}", before.get(name), now.get(name))
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for place, (old, new) in enumerate(zip(before, now, strict=True)):
            yield from _differences(f"{key}.{place}", old, new)
    elif isinstance(before, list) and isinstance(now, list):
        yield f"{key}: were {len(before)}, are {len(now)}"
    elif before != now:
        yield _changed(key, before, now)


def machine_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """One line for every watched fact that differs, and for every image that was there before and differs."""
    images = [f"images.{recipe}" for recipe in before["images"] if recipe in now["images"]]
    return [
        _changed(key, fact_at(before, key), fact_at(now, key))
        for key in (*WATCHED, *images)
        if fact_at(before, key) != fact_at(now, key)
    ]


def _changed(key: str, before: object, now: object) -> str:
    return f"{key}: was {before!r}, is {now!r}"
