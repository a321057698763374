"""How this worker's event loop and thread pool are, looked at while it serves."""

from __future__ import annotations

import asyncio
from time import monotonic

from anyio.to_thread import current_default_thread_limiter

from target_app.counters import Vitals, WorkerCounters

PERIOD_S = 0.05
"""20 looks a second: each costs one timer, microseconds."""
STALL_S = 0.05
"""A loop that lets a timer wait this long counts as blocked."""


async def watch(counters: WorkerCounters) -> None:
    """Look until cancelled. What an idle worker would show is left out: it says nothing of the load."""
    threads = current_default_thread_limiter()
    vitals, before = Vitals(thread_limit=int(threads.total_tokens)), counters.seen
    while True:
        counters.tell(vitals)
        due_s = monotonic() + PERIOD_S
        await asyncio.sleep(PERIOD_S)
        lag_s = max(0.0, monotonic() - due_s)
        _, in_flight = now = counters.seen
        if in_flight or now != before:
            waiting = threads.statistics().tasks_waiting
            vitals = added(vitals, lag_s, busy=int(threads.borrowed_tokens), waiting=waiting)
        before = now


def added(vitals: Vitals, lag_s: float, *, busy: int, waiting: int) -> Vitals:
    """`vitals` and one more look."""
    return vitals._replace(
        samples=vitals.samples + 1,
        lag_s=vitals.lag_s + lag_s,
        stalled_s=vitals.stalled_s + (lag_s if lag_s > STALL_S else 0.0),
        lag_max_s=max(vitals.lag_max_s, lag_s),
        threads_busy=vitals.threads_busy + busy,
        threads_waiting=vitals.threads_waiting + waiting,
    )
