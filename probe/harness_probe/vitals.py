"""How this worker's event loop and thread pool are, looked at while it serves."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

from .counters import Vitals, WorkerCounters

PERIOD_S = 0.05
"""20 looks a second: each costs one timer, microseconds."""
STALL_S = 0.05
"""A loop that lets a timer wait this long counts as blocked."""


async def watch(counters: WorkerCounters, next_request: Callable[[], Awaitable[object]]) -> None:
    """Look until cancelled. An idle worker is left alone until `next_request` returns.

    What it would show says nothing of the load, and its timers would disturb who works on its core.
    """
    threads = thread_limiter()
    limit = 0 if threads is None else int(threads.total_tokens)
    vitals, before = Vitals(thread_limit=limit), counters.seen
    idle = not before[1]
    while True:
        counters.tell(vitals)
        if idle:
            await next_request()
        due_s = monotonic() + PERIOD_S
        await asyncio.sleep(PERIOD_S)
        lag_s = max(0.0, monotonic() - due_s)
        _, in_flight = now = counters.seen
        idle = not in_flight and now == before
        if not idle:
            busy, waiting = _used(threads)
            vitals = added(vitals, lag_s, busy=busy, waiting=waiting)
        before = now


def thread_limiter() -> Any | None:
    """What counts the threads of sync handlers; None where the app has none. Needs a running loop."""
    if "anyio" not in sys.modules:
        return None
    # The app's own copy, imported already: nothing that was not there comes in.
    from anyio.to_thread import current_default_thread_limiter

    return current_default_thread_limiter()


def _used(threads: Any | None) -> tuple[int, int]:
    """Threads that work, and calls that wait for one."""
    return (0, 0) if threads is None else (int(threads.borrowed_tokens), threads.statistics().tasks_waiting)


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
