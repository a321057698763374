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


@pytest.mark.parametrize(("serving", "looks"), [(True, 3), (False, 0)])
def test_only_a_worker_that_serves_is_looked_at(serving: bool, looks: int) -> None:
    async def last() -> Vitals:
        counters = Telling(enough=4)
        if serving:
            counters.begin(1)
        watcher = asyncio.create_task(watch(counters))
        await asyncio.wait_for(counters.done.wait(), WAIT_S)
        watcher.cancel()
        return counters.told[3]

    vitals = asyncio.run(last())
    assert vitals.samples == looks
    assert (vitals.lag_s > 0) is serving


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
    watcher = asyncio.create_task(watch(counters))
    await asyncio.wait_for(counters.done.wait(), WAIT_S)
    watcher.cancel()
    return counters.told[0]


def test_an_app_without_anyio_has_no_threads_to_tell_of(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asyncio.run(_looked_at()).thread_limit == 40
    monkeypatch.delitem(sys.modules, "anyio")
    assert asyncio.run(_looked_at()).thread_limit == 0
