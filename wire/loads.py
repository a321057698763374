"""A load as the agent drives it: its kind, its spans of time, and the bounds of what one process can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

MAX_CLIENTS = 900
"""Requests that one agent can have in flight: its event loop waits in select(), which ends at 1,024 files."""
MIN_RATE_PER_S, MAX_RATE_PER_S = 0.01, 1e6
MAX_ARRIVALS = 5_000_000
"""Scheduled arrivals of one load: bounds memory (26 bytes a request, several times over) and traffic."""
MAX_SPANS = 100_000
MAX_LOAD_S, SHORTEST_S = 86_400.0, 0.02
"""From the start to the end of a load; what is measured of each span."""

Seconds = Annotated[float, Field(ge=0, le=MAX_LOAD_S, allow_inf_nan=False)]
Timeout = Annotated[float, Field(ge=0.01, le=600, allow_inf_nan=False)]
Whole = Annotated[int, Field(ge=0, lt=2**63)]
Clients = Annotated[int, Field(ge=1, le=MAX_CLIENTS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedLoad:
    """`clients` users, each sending its next request when the last one is answered: peak throughput."""

    clients: Clients
    kind: Literal["closed"] = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLoad:
    """Pre-scheduled arrivals at `rate_per_s`, whatever the server does: latency at a rate."""

    rate_per_s: Annotated[float, Field(ge=MIN_RATE_PER_S, le=MAX_RATE_PER_S, allow_inf_nan=False)]
    arrivals: Literal["poisson", "constant"] = "poisson"
    kind: Literal["open"] = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """One load, in one span of time or in several with pauses between them."""

    load: Annotated[ClosedLoad | OpenLoad, Field(discriminator="kind")]
    spans_s: Annotated[tuple[tuple[Seconds, Seconds], ...], Field(min_length=1, max_length=MAX_SPANS)]
    """Begin and end of each, in seconds from the start of the load, in order and apart."""
    ramp_s: Seconds
    """Left out of the measurement at the beginning of each span."""
    rest_until_s: Seconds
    """In seconds from the start: others are at work until then, and the results can wait."""
    request_timeout_s: Timeout
    drain_s: Annotated[float, Field(ge=0, le=600)]
    seed: Whole
    id_base: Whole
    """The ids sent are id_base + 1, id_base + 2, ..."""
    start_at_s: float | None = None
    """CLOCK_MONOTONIC second to start at, so that several generators start together; None is now."""
    op: Literal["drive"] = "drive"

    def __post_init__(self) -> None:
        """Raises ValueError where spans overlap or hold nothing to measure, or too much is scheduled."""
        after_s = 0.0
        for number, (begin_s, end_s) in enumerate(self.spans_s):
            if begin_s < after_s:
                raise ValueError(f"spans_s.{number} begins at {begin_s:g} s, inside the span before")
            if end_s < begin_s + self.ramp_s + SHORTEST_S:
                raise ValueError(
                    f"spans_s.{number} ends at {end_s:g} s, but must last for ramp_s and {SHORTEST_S:g} s"
                )
            after_s = end_s
        if isinstance(self.load, OpenLoad):
            arrivals = self.load.rate_per_s * sum(end_s - begin_s for begin_s, end_s in self.spans_s)
            if arrivals > MAX_ARRIVALS:
                raise ValueError(
                    f"{arrivals:.0f} arrivals are more than {MAX_ARRIVALS}; lower rate_per_s, or measure for "
                    f"less time"
                )
