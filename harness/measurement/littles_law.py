"""I8, by Little's law: the client's clock holds all of the time that the server worked on a request."""

from __future__ import annotations

from collections.abc import Iterator

from harness.measurement.trial_evidence import Evidence
from harness.model import Validity

MAX_INSIDE_SHARE = 1.05
EDGE_REQUESTS = 0.5
"""For each worker. An app ends a request a moment after its last byte has left: so many are late at most,
if the worker loses its core right there each time, and half of that is seen as often as not."""


def one_clock(evidence: Evidence) -> Iterator[tuple[Validity, str]]:
    """I8: no more requests were inside the app than the client had under way.

    L = lambda W (J. D. C. Little 1961): over the same requests and the same time, mean numbers in flight
    relate as mean times. What waits for the app is in flight to the client alone, so the client's number
    may be any larger. If it is smaller, its clock starts late or stops early.
    """
    signals = evidence.signals
    if signals is None or signals.in_flight_server is None or signals.in_flight_client is None:
        return
    inside, under_way = signals.in_flight_server, signals.in_flight_client
    if inside > MAX_INSIDE_SHARE * under_way + EDGE_REQUESTS * len(signals.workers):
        yield (
            Validity.INVALID,
            f"I8: {inside:.2f} requests were inside the app on average, where the client had {under_way:.2f} "
            f"under way ({MAX_INSIDE_SHARE - 1:.0%} more allowed): its clock misses part of the latency",
        )
