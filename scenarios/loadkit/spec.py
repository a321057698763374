"""What a `drive` message asks for, checked field by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from scenarios.loadkit.errors import BadRequest

MAX_LOAD_S, SHORTEST_S = 86_400.0, 0.02
"""From the start to the end of a load; what is measured of each span."""
MAX_SPANS = 100_000
MAX_REQUESTS = 5_000_000
"""Scheduled arrivals of one run: bounds memory (26 bytes a request, several times over) and traffic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedLoad:
    """`clients` users, each sending its next request when the last one is answered."""

    clients: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLoad:
    """Arrivals at `rate_per_s`, whatever the server does."""

    rate_per_s: float
    arrivals: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DriveSpec:
    """One load, in one span of time or in several with pauses between them."""

    load: ClosedLoad | OpenLoad
    spans_s: tuple[tuple[float, float], ...]
    """Begin and end of each, in seconds from the start of the load, in order and apart."""
    ramp_s: float
    """Left out of the measurement at the beginning of each span."""
    rest_until_s: float
    """In seconds from the start: others are at work until then, and the results can wait."""
    request_timeout_s: float
    drain_s: float
    seed: int
    id_base: int
    """The ids sent are id_base + 1, id_base + 2, ..."""
    start_at_s: float | None
    """CLOCK_MONOTONIC second to start at, so that several generators start together; None is now."""


def drive_spec(message: Mapping[str, Any]) -> DriveSpec:
    """Read a `drive` message. Raises BadRequest naming the field."""
    fields = Fields(message, "drive")
    ramp_s = fields.number("ramp_s", 0, 3600)
    spec = DriveSpec(
        load=_load(fields.mapping("load")),
        spans_s=_spans_s(fields, ramp_s),
        ramp_s=ramp_s,
        rest_until_s=fields.number("rest_until_s", 0, MAX_LOAD_S),
        request_timeout_s=fields.number("request_timeout_s", 0.01, 600),
        drain_s=fields.number("drain_s", 0, 600),
        seed=fields.whole("seed", 0, 2**63 - 1),
        id_base=fields.whole("id_base", 0, 2**63 - 1),
        start_at_s=None if message.get("start_at_s") is None else fields.number("start_at_s", 0, 2**62),
    )
    if isinstance(spec.load, OpenLoad):
        arrivals = spec.load.rate_per_s * sum(end_s - begin_s for begin_s, end_s in spec.spans_s)
        if arrivals > MAX_REQUESTS:
            raise BadRequest(
                f"drive: {arrivals:.0f} arrivals are more than {MAX_REQUESTS}; lower rate_per_s, or measure "
                f"for less time"
            )
    return spec


def _spans_s(fields: Fields, ramp_s: float) -> tuple[tuple[float, float], ...]:
    """Raises BadRequest where they overlap, or hold nothing to measure."""
    spans: list[tuple[float, float]] = []
    after_s = 0.0
    for number, pair in enumerate(fields.items("spans_s")):
        span = Fields({"begin": None, "end": None}, f"{fields.where}.spans_s.{number}")
        if isinstance(pair, list) and len(pair) == len(span.message):
            span = Fields(dict(zip(span.message, pair, strict=True)), span.where)
        begin_s = span.number("begin", after_s, MAX_LOAD_S)
        after_s = span.number("end", begin_s + ramp_s + SHORTEST_S, MAX_LOAD_S)
        spans.append((begin_s, after_s))
    if not 0 < len(spans) <= MAX_SPANS:
        raise BadRequest(
            f"{fields.where}.spans_s must be 1 to {MAX_SPANS} pairs of seconds, got {len(spans)}"
        )
    return tuple(spans)


def _load(message: Mapping[str, Any]) -> ClosedLoad | OpenLoad:
    fields = Fields(message, "drive.load")
    kind = fields.text("kind", choices=("closed", "open"))
    if kind == "closed":
        return ClosedLoad(clients=fields.whole("clients", 1, 900))
    return OpenLoad(
        rate_per_s=fields.number("rate_per_s", 0.01, 1e6),
        arrivals=fields.text("arrivals", choices=("poisson", "constant")),
    )


@dataclass(frozen=True, slots=True)
class Fields:
    """Typed access to a decoded JSON object; every refusal says where and what would do."""

    message: Mapping[str, Any]
    where: str

    def text(self, key: str, *, choices: tuple[str, ...] = ()) -> str:
        value = self.message.get(key)
        if not isinstance(value, str) or (choices and value not in choices):
            raise self._refusal(key, " or ".join(choices) or "a string")
        return value

    def number(self, key: str, low: float, high: float) -> float:
        value = self.message.get(key)
        if not isinstance(value, int | float) or isinstance(value, bool) or not isfinite(value):
            raise self._refusal(key, f"a number from {low:g} to {high:g}")
        if not low <= value <= high:
            raise self._refusal(key, f"from {low:g} to {high:g}")
        return float(value)

    def whole(self, key: str, low: int, high: int) -> int:
        value = self.message.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self._refusal(key, f"a whole number from {low} to {high}")
        return value

    def mapping(self, key: str) -> Mapping[str, Any]:
        value = self.message.get(key)
        if not isinstance(value, dict):
            raise self._refusal(key, "an object")
        return value

    def flag(self, key: str) -> bool:
        value = self.message.get(key)
        if not isinstance(value, bool):
            raise self._refusal(key, "true or false")
        return value

    def items(self, key: str) -> list[Any]:
        value = self.message.get(key)
        if not isinstance(value, list):
            raise self._refusal(key, "a list")
        return value

    def _refusal(self, key: str, wanted: str) -> BadRequest:
        got = repr(self.message[key])[:80] if key in self.message else "nothing"
        return BadRequest(f"{self.where}.{key} must be {wanted}, got {got}")
