"""Looks at the event loop and the thread pool."""

from __future__ import annotations

import asyncio
import sys

import anyio.to_thread  # noqa: F401
import pytest

from harness_probe.counters import Vitals, WorkerCounters
from harness_probe.vitals import added, watch

WAIT_S = 10.0


class Telling(WorkerCounters):
    """Counters that keep what they are told, and wake whoever waits for the nth telling."""

    def __init__(self, *, enough: int) -> None:
        super().__init__()
        self.told: list[Vitals] = []
        self.done = asyncio.Event()
        self._enough = enough

    def tell(self, vitals: Vitals) -> None:
        self.told.append(vitals)
        if len(self.told) == self._enough:
            self.done.set()


def test_a_worker_is_looked_at_while_it_serves_and_left_alone_when_it_is_idle() -> None:
    async def story() -> None:
        counters, waited, request = Telling(enough=4), asyncio.Event(), asyncio.Event()

        async def next_request() -> None:
            waited.set()
            request.clear()
            await request.wait()

        watcher = asyncio.create_task(watch(counters, next_request))
        await asyncio.wait_for(waited.wait(), WAIT_S)
        assert [vitals.samples for vitals in counters.told] == [0]
        counters.begin(1)
        waited.clear()
        request.set()
        await asyncio.wait_for(counters.done.wait(), WAIT_S)
        assert [vitals.samples for vitals in counters.told] == [0, 1, 2, 3]
        assert counters.told[-1].lag_s > 0
        assert not waited.is_set()
        counters.end()
        # One look sees that the request has ended, the next one that none has come.
        await asyncio.wait_for(waited.wait(), WAIT_S)
        assert counters.told[-1].samples == 4
        watcher.cancel()

    asyncio.run(story())


def test_looks_add_up_and_only_long_lags_are_stalls() -> None:
    vitals = Vitals(thread_limit=40)
    for lag_s, busy, waiting in ((0.25, 40, 2), (0.03125, 10, 0)):
        vitals = added(vitals, lag_s, busy=busy, waiting=waiting)
    assert vitals == Vitals(
        samples=2,
        lag_s=0.28125,
        stalled_s=0.25,
        lag_max_s=0.25,
        thread_limit=40,
        threads_busy=50,
        threads_waiting=2,
    )


async def _looked_at() -> Vitals:
    counters = Telling(enough=1)
    watcher = asyncio.create_task(watch(counters, asyncio.Event().wait))
    await asyncio.wait_for(counters.done.wait(), WAIT_S)
    watcher.cancel()
    return counters.told[0]


def test_an_app_without_anyio_has_no_threads_to_tell_of(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asyncio.run(_looked_at()).thread_limit == 40
    monkeypatch.delitem(sys.modules, "anyio")
    assert asyncio.run(_looked_at()).thread_limit == 0
