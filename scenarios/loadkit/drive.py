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
from scenarios.loadkit.background_load import neighbour
from scenarios.loadkit.closed import closed_loop
from scenarios.loadkit.open import open_loop
from scenarios.loadkit.prepare import Outgoing
from scenarios.loadkit.recorder import Recorder
from scenarios.loadkit.result import LoadResult, Progress
from scenarios.loadkit.session import Session
from scenarios.loadkit.user import LeanUser
from scenarios.loadkit.window import Span, Timetable, timetable_of
from wire.loads import MAX_CLIENTS, ClosedLoad, Drive, OpenLoad
from wire.messages import DriveProgress

REPORT_S = 0.9


def drive(
    scenario: type[LeanUser],
    spec: Drive,
    *,
    base_url: str,
    mixes: Sequence[list[Outgoing]],
    progress: Progress,
) -> LoadResult:
    """Run one load to its end: at most its spans + drain after its start. One client for each mix."""
    with _no_gc_pauses():
        timetable = timetable_of(spec, now_s=monotonic())
        session = Session(_recorder(spec, timetable), timetable, first_id=spec.id_base + 1)
        user_class = _driven(scenario, spec, session, base_url=base_url, mixes=iter(mixes))
        runner = Environment(user_classes=[user_class], catch_exceptions=False).create_local_runner()
        try:
            # Not runner.start(): it ramps up at a spawn rate, and the whole load has to stand at once.
            runner.spawn_users({user_class.__name__: len(mixes)})
            beside = neighbour(session, user_class)
            cpu_share = watch(timetable, session.recorder, progress)
            runner.user_greenlets.join(timeout=max(0.0, timetable.deadline_s - monotonic()))
            beside.get()
            gevent.sleep(max(0.0, timetable.rest_until_s - monotonic()))
        finally:
            runner.quit()
    if session.fault:
        raise session.fault
    arrays = session.recorder.measured(timetable.spans)
    return LoadResult(
        timetable=timetable,
        totals=session.recorder.totals(session.first_id),
        arrays={**arrays, "generator_cpu_share": cpu_share},
    )


def _recorder(spec: Drive, timetable: Timetable) -> Recorder:
    if isinstance(spec.load, ClosedLoad):
        return Recorder()
    return Recorder(
        np.concatenate(
            [
                span.start_s + _offsets_s(spec.load, end_s - begin_s, seed=(spec.seed, number))
                for number, (span, (begin_s, end_s)) in enumerate(
                    zip(timetable.spans, spec.spans_s, strict=True)
                )
            ]
        )
    )


def _offsets_s(load: OpenLoad, duration_s: float, *, seed: tuple[int, int]) -> NDArray[np.float64]:
    if load.arrivals == "constant":
        return arrivals.constant(load.rate_per_s, duration_s)
    return arrivals.poisson(load.rate_per_s, duration_s, seed=seed)


def _driven(
    scenario: type[LeanUser],
    spec: Drive,
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
        "connections": 1 if closed else MAX_CLIENTS,
        "mixes": mixes,
    }
    driven: type[LeanUser] = type(scenario.__name__, (scenario,), attributes)
    # Set afterwards: Locust's metaclass would add the loop to the inherited task, not replace it.
    driven.tasks = [partial(closed_loop if closed else open_loop, session)]
    return driven


def watch(timetable: Timetable, recorder: Recorder, progress: Progress) -> NDArray[np.float64]:
    """Report about once a second until the last span ends; CPU seconds per second measured, shape (ticks,).

    Of a single span there is a tick about each second of what is measured, of several one at the end of each.
    Between the spans nothing is done: other generators work then, on the same core.
    """
    several = len(timetable.spans) > 1
    shares: list[float] = []
    answered, reported_s = 0, timetable.start_s
    for span in timetable.spans:
        at_s, cpu_s = span.start_s, process_time()
        for tick_s in (span.measure_s, span.end_s) if several else _ticks(span):
            gevent.sleep(max(0.0, tick_s - monotonic()))
            now_s, now_cpu_s = monotonic(), process_time()
            if tick_s > span.measure_s:
                shares.append((now_cpu_s - cpu_s) / (now_s - at_s))
            if not several or now_s - reported_s >= REPORT_S or tick_s >= timetable.end_s:
                per_s = (recorder.answered - answered) / max(now_s - reported_s, 1e-9)
                answered, reported_s = recorder.answered, now_s
                progress(DriveProgress(elapsed_s=now_s - timetable.start_s, requests=answered, per_s=per_s))
            at_s, cpu_s = now_s, now_cpu_s
    return np.array(shares)


def _ticks(span: Span) -> Iterator[float]:
    """Whole seconds of warm-up, then the measured part in steps of about a second, its start included."""
    warmup_s, measured_s = span.measure_s - span.start_s, span.end_s - span.measure_s
    yield from (span.start_s + second for second in np.arange(1.0, warmup_s))
    yield from np.linspace(span.measure_s, span.end_s, max(1, round(measured_s)) + 1)


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
