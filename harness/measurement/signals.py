"""What two probes and the client's record tell of where a server's limit lies."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

from harness.deployment import ServerFacts, WorkerFacts
from harness.measurement.accounting import served, unanswered, worker_pids
from harness.measurement.load import LoadRecord
from harness.signals import TrialSignals, WorkerSignals, WorkerUse

STALL_S = 0.05
"""Lags above this are stalls, to the app and to the oracles."""

_Ends = tuple[WorkerFacts, WorkerSignals, WorkerFacts, WorkerSignals]
"""One worker before and after the load, with the signals of each."""


def trial_signals(
    before: ServerFacts | None,
    after: ServerFacts | None,
    load: LoadRecord,
    *,
    cpu_cores: float,
    under_load_s: float | None = None,
) -> TrialSignals | None:
    """None of a black box, and where the probes show other workers, or a worker that reports nothing.

    Whole CPU seconds of the workers are split among them; `cpu_cores` is what all used in the window.
    `under_load_s` is for how long there was load between the probes; None: all the time.
    """
    if before is None or after is None or not (ends := _ends(before, after)):
        return None
    requests, cpu_s = served(before, after), sum(late.cpu_s - early.cpu_s for _, early, _, late in ends)
    load_s = under_load_s if under_load_s is not None else _seconds(ends)
    cores_per_cpu_s = cpu_cores / cpu_s if cpu_s else 0.0
    uses = [
        _use(end, requests=requests, cores_per_cpu_s=cores_per_cpu_s, under_load_s=under_load_s)
        for end in ends
    ]
    return TrialSignals(
        workers=tuple(sorted(uses, key=lambda use: (-use.request_share, -use.cpu_cores))),
        in_flight_server=_in_flight_server(ends, load_s),
        in_flight_client=_in_flight_client(load, load_s),
    )


def _ends(before: ServerFacts, after: ServerFacts) -> Sequence[_Ends]:
    if worker_pids(before) != worker_pids(after):
        return ()
    later = {worker.pid: worker for worker in after.workers}
    ends = [
        (early, early.signals, late, late.signals)
        for early in before.workers
        if early.signals and (late := later[early.pid]).signals
    ]
    return ends if len(ends) == len(before.workers) else ()


def _use(end: _Ends, *, requests: int, cores_per_cpu_s: float, under_load_s: float | None) -> WorkerUse:
    before, early, after, late = end
    looks, lag_s = late.samples - early.samples, late.lag_s - early.lag_s

    def mean(total: float) -> float | None:
        return total / looks if looks else None

    return WorkerUse(
        request_share=(after.requests - before.requests) / requests if requests else 0.0,
        cpu_cores=(late.cpu_s - early.cpu_s) * cores_per_cpu_s,
        lag_mean_s=mean(lag_s),
        lag_worst_s=_worst_s(early, late, lag_s) if looks else None,
        stalled_share=min(1.0, (late.stalled_s - early.stalled_s) / (under_load_s or late.at_s - early.at_s))
        if looks
        else None,
        threads_busy=mean(late.threads_busy - early.threads_busy),
        threads_waiting=mean(late.threads_waiting - early.threads_waiting),
        thread_limit=late.thread_limit,
    )


def _worst_s(early: WorkerSignals, late: WorkerSignals, lag_s: float) -> float:
    """The longest lag of the load, or what it cannot have exceeded."""
    if late.lag_max_s > early.lag_max_s:
        return late.lag_max_s
    no_stall = late.stalled_s == early.stalled_s
    return min(late.lag_max_s, lag_s, STALL_S if no_stall else late.stalled_s - early.stalled_s)


def _seconds(ends: Sequence[_Ends]) -> float:
    """Between the probes."""
    return max(late.at_s for _, _, _, late in ends) - min(early.at_s for _, early, _, _ in ends)


def _in_flight_server(ends: Sequence[_Ends], load_s: float) -> float | None:
    total_s = 0.0
    for _, early, _, late in ends:
        if early.in_flight_s is None or late.in_flight_s is None:
            return None
        total_s += late.in_flight_s - early.in_flight_s
    return total_s / load_s


def _in_flight_client(load: LoadRecord, load_s: float) -> float | None:
    """Both probes came while nothing was under way, so each latency lies between them as a whole."""
    if isnan(load.in_flight_s) or unanswered(load):
        return None
    return load.in_flight_s / load_s
