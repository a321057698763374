"""One load run: a Locust environment with a local runner, watched from outside the loops."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from time import monotonic, process_time

import gevent
import numpy as np
from locust.env import Environment
from numpy.typing import NDArray

from scenarios.loadkit import arrivals
from scenarios.loadkit.beside import neighbour
from scenarios.loadkit.closed import closed_loop
from scenarios.loadkit.open import MAX_IN_FLIGHT, open_loop
from scenarios.loadkit.prepare import Outgoing
from scenarios.loadkit.recorder import Recorder
from scenarios.loadkit.result import LoadResult, Progress
from scenarios.loadkit.session import Session
from scenarios.loadkit.spec import ClosedLoad, DriveSpec
from scenarios.loadkit.user import LeanUser
from scenarios.loadkit.window import Window

LEAD_S = 0.1
"""From now to the first request: time to make the schedule and the users, so that no arrival starts late."""


def drive(
    scenario: type[LeanUser],
    spec: DriveSpec,
    *,
    base_url: str,
    mixes: Sequence[list[Outgoing]],
    progress: Progress,
) -> LoadResult:
    """Run one load to its end: at most warm-up + window + drain after its start. One client for each mix."""
    with _no_gc_pauses():
        window = window_of(spec, now_s=monotonic())
        session = Session(_recorder(spec, window), window, first_id=spec.id_base + 1)
        user_class = _driven(scenario, spec, session, base_url=base_url, mixes=iter(mixes))
        runner = Environment(user_classes=[user_class], catch_exceptions=False).create_local_runner()
        try:
            # Not runner.start(): it ramps up at a spawn rate, and the whole load has to stand at once.
            runner.spawn_users({user_class.__name__: len(mixes)})
            beside = neighbour(session, user_class)
            cpu_share = watch(window, session.recorder, progress)
            runner.user_greenlets.join(timeout=max(0.0, window.deadline_s - monotonic()))
            beside.get()
        finally:
            runner.quit()
    if session.fault:
        raise session.fault
    arrays = session.recorder.window(window.measure_s, window.end_s)
    return LoadResult(
        window=window,
        totals=session.recorder.totals(session.first_id),
        arrays={**arrays, "generator_cpu_share": cpu_share},
    )


def window_of(spec: DriveSpec, *, now_s: float) -> Window:
    start_s = max(now_s + LEAD_S, spec.start_at_s or 0.0)
    end_s = start_s + spec.warmup_s + spec.measure_s
    return Window(
        start_s=start_s, measure_s=start_s + spec.warmup_s, end_s=end_s, deadline_s=end_s + spec.drain_s
    )


def _recorder(spec: DriveSpec, window: Window) -> Recorder:
    if isinstance(spec.load, ClosedLoad):
        return Recorder()
    # Not the window's length: that is a difference of two large numbers, and may hold one arrival more.
    duration_s = spec.warmup_s + spec.measure_s
    if spec.load.arrivals == "constant":
        offsets_s = arrivals.constant(spec.load.rate_per_s, duration_s)
    else:
        offsets_s = arrivals.poisson(spec.load.rate_per_s, duration_s, seed=spec.seed)
    return Recorder(window.start_s + offsets_s)


def _driven(
    scenario: type[LeanUser],
    spec: DriveSpec,
    session: Session,
    *,
    base_url: str,
    mixes: Iterator[list[Outgoing]],
) -> type[LeanUser]:
    """The scenario's user with a loop in place of its task."""
    closed = isinstance(spec.load, ClosedLoad)
    attributes = {
        "host": base_url,
        "request_timeout_s": spec.request_timeout_s,
        "connections": 1 if closed else MAX_IN_FLIGHT,
        "mixes": mixes,
    }
    driven: type[LeanUser] = type(scenario.__name__, (scenario,), attributes)
    # Set afterwards: Locust's metaclass would add the loop to the inherited task, not replace it.
    driven.tasks = [partial(closed_loop if closed else open_loop, session)]
    return driven


def watch(window: Window, recorder: Recorder, progress: Progress) -> NDArray[np.float64]:
    """Report about once a second until the window ends; CPU seconds per second of it, shape (seconds,)."""
    shares: list[float] = []
    answered, at_s, cpu_s = 0, window.start_s, process_time()
    for tick_s in _ticks(window):
        gevent.sleep(max(0.0, tick_s - monotonic()))
        now_s, now_cpu_s = monotonic(), process_time()
        if tick_s > window.measure_s:
            shares.append((now_cpu_s - cpu_s) / (now_s - at_s))
        per_s = (recorder.answered - answered) / max(now_s - at_s, 1e-9)
        answered, at_s, cpu_s = recorder.answered, now_s, now_cpu_s
        progress({"elapsed_s": now_s - window.start_s, "requests": answered, "per_s": per_s})
    return np.array(shares)


def _ticks(window: Window) -> Iterator[float]:
    """Whole seconds of warm-up, then the window in equal steps of about a second, its start included."""
    warmup_s, measured_s = window.measure_s - window.start_s, window.end_s - window.measure_s
    yield from (window.start_s + second for second in np.arange(1.0, warmup_s))
    yield from np.linspace(window.measure_s, window.end_s, max(1, round(measured_s)) + 1)


@contextmanager
def _no_gc_pauses() -> Iterator[None]:
    """A full collection over Locust's imports takes tens of milliseconds; a run is short enough without."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
