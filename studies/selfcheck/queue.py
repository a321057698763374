"""Queues whose latency is known in closed form: M/D/1 and M/M/1."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from harness.analysis.intervals import summarise
from harness.analysis.metrics import LATENCY_P95, LATENCY_P99, P99_MIN_REQUESTS
from harness.errors import TrialError
from harness.execution.equipment import TrialOutcome
from harness.findings import Summary
from harness.model import Validity
from studies.selfcheck.oracle_trials import OracleEquipment, OracleServer, metrics_of, open_load, scenario
from studies.selfcheck.result import Line, OracleOutcome, unmeasured
from studies.selfcheck.theory import (
    fewest_plausible,
    fifo_latencies_s,
    md1_latency_quantile,
    mm1_latency_quantile,
)

COVERAGE = 0.9
ALLOWED = 0.05
QUANTILES = {LATENCY_P95: 0.95, LATENCY_P99: 0.99}


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    name: str
    load: float
    exponential: bool
    quantile: Callable[[float], float]
    """Of latency, in mean service times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSize:
    """`runs` intervals, each over `trials` trials."""

    service_s: float
    runs: int
    trials: int
    measure_s: float


QUEUES = (
    Queue(name="M/D/1", load=0.5, exponential=False, quantile=lambda q: md1_latency_quantile(q, load=0.5)),
    Queue(name="M/D/1", load=0.7, exponential=False, quantile=lambda q: md1_latency_quantile(q, load=0.7)),
    Queue(name="M/M/1", load=0.5, exponential=True, quantile=lambda q: mm1_latency_quantile(q, load=0.5)),
)
QUICK = QueueSize(service_s=0.01, runs=1, trials=3, measure_s=5.0)
FULL = QueueSize(service_s=0.005, runs=2, trials=4, measure_s=26.0)
"""Long enough for p99 to be reported at all: 10,000 requests in a cell."""


def check(equipment: OracleEquipment) -> OracleOutcome:
    """Every interval against theory, and every figure against what its very arrivals must come to.

    The second is free of chance: from the arrivals that were sent, and the service times that the server
    drew, Lindley's recursion tells each latency. Trials that are not VALID are left out, as in any run.
    """
    size = FULL if equipment.full else QUICK
    lines: list[Line] = []
    held: list[bool] = []
    for queue in QUEUES:
        try:
            runs = [
                _run(equipment, queue, size, first_seed=run * size.trials + 1) for run in range(size.runs)
            ]
        except TrialError as error:
            lines.append(unmeasured("queue", error))
            continue
        lines += [_line(queue, metric, runs, size.service_s) for metric in QUANTILES]
        held += [
            _holds(_interval(trials, metric, size.service_s), queue.quantile(q))
            for metric, q in QUANTILES.items()
            for trials in runs
            if _reported(trials, metric)
        ]
    return OracleOutcome(lines=(*lines, _coverage(held)))


def _run(equipment: OracleEquipment, queue: Queue, size: QueueSize, *, first_seed: int) -> list[TrialOutcome]:
    """The VALID trials of one run. Raises TrialError where fewer than two are left."""
    trials = [_trial(equipment, queue, size, first_seed + trial) for trial in range(size.trials)]
    valid = [trial for trial in trials if trial.record.validity is Validity.VALID]
    if len(valid) < 2:
        told = "; ".join(reason for trial in trials for reason in trial.record.reasons)
        raise TrialError(f"{len(valid)} of {len(trials)} trials of {queue.name} VALID: {told}")
    return valid


def _trial(equipment: OracleEquipment, queue: Queue, size: QueueSize, seed: int) -> TrialOutcome:
    arguments = ("--service-s", f"{size.service_s}", "--seed", f"{seed}")
    server = OracleServer(
        name=queue.name.lower().replace("/", ""),
        module="queue_server",
        arguments=(*arguments, "--exponential") if queue.exponential else arguments,
    )
    arrivals = open_load(queue.load / size.service_s)
    load = scenario(f"load-{queue.load:g}", arrivals, measure_s=size.measure_s)
    return equipment.valid_trial(server, load, block=seed)


def _interval(trials: Sequence[TrialOutcome], metric: str, service_s: float) -> Summary:
    """As a cell of a run would report it, in service times."""
    return summarise([getattr(metrics_of(trial), metric) / service_s for trial in trials])


def _reported(trials: Sequence[TrialOutcome], metric: str) -> bool:
    """p99 is left out of reports below 10,000 requests: there its interval is too low too often."""
    requests = sum(metrics_of(trial).requests for trial in trials)
    return metric != LATENCY_P99 or requests >= P99_MIN_REQUESTS


def _holds(interval: Summary, services: float) -> bool:
    return interval.lo is not None and interval.hi is not None and interval.lo <= services <= interval.hi


def _off(queue: Queue, metric: str, q: float, trials: Sequence[TrialOutcome], service_s: float) -> float:
    """The median relative error against what the arrivals of each trial must come to."""
    own_s = [_own_quantile_s(queue, trial, q, service_s) for trial in trials]
    measured_s: list[float] = [getattr(metrics_of(trial), metric) for trial in trials]
    return median(measured / own - 1 for measured, own in zip(measured_s, own_s, strict=True))


def _own_quantile_s(queue: Queue, trial: TrialOutcome, q: float, service_s: float) -> float:
    """What the arrivals of this trial must come to. The server drew its service times in their order."""
    if trial.load is None:
        raise TrialError(f"{trial.record.trial_id}: no load was recorded")
    arrivals_s, rng = np.sort(trial.load.intended_s), random.Random(trial.record.block)
    drawn_s = [rng.expovariate(1 / service_s) if queue.exponential else service_s for _ in arrivals_s]
    return float(np.quantile(fifo_latencies_s(arrivals_s, drawn_s), q))


def _line(queue: Queue, metric: str, runs: Sequence[Sequence[TrialOutcome]], service_s: float) -> Line:
    q = QUANTILES[metric]
    off = _off(queue, metric, q, [trial for trials in runs for trial in trials], service_s)
    intervals = [_interval(trials, metric, service_s) for trials in runs]
    told = "; ".join(f"{each.center:.2f} D ({each.lo or 0:.2f}-{each.hi or 0:.2f})" for each in intervals)
    return Line(
        oracle="queue",
        quantity=f"{queue.name} at load {queue.load:g}, {'p95' if metric == LATENCY_P95 else 'p99'}",
        theory=f"{queue.quantile(q):.2f} D",
        measured=f"{told}; {off:+.1%} against its own arrivals",
        gate=f"within {ALLOWED:.0%} of its own arrivals",
        met=abs(off) <= ALLOWED,
    )


def _coverage(held: Sequence[bool]) -> Line:
    """A handful of intervals cannot show a share of 90 %, only that it is not far less."""
    if len(held) < len(QUEUES):
        return unmeasured("queue", f"{len(held)} intervals are too few to speak of their coverage")
    needed = fewest_plausible(len(held), COVERAGE)
    return Line(
        oracle="queue",
        quantity="reported intervals that hold the theory",
        theory=f"at least {COVERAGE:.0%}",
        measured=f"{sum(held)} of {len(held)}",
        gate=f"at least {needed} of {len(held)}, or {COVERAGE:.0%} is refuted",
        met=sum(held) >= needed,
    )
