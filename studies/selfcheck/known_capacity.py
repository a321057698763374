"""An M/D/1 queue under p95 <= 5 service times: the load at which that is just met is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from harness.analysis.intervals import summarise
from harness.execution.equipment import TrialOutcome
from harness.measurement.load import LoadRecord
from harness.measurement.metrics import intended_inside
from harness.measurement.pass_rule import judge_step
from harness.model import CapacityLoad, Scenario
from harness.search import CapacityStep, StepOutcome
from studies.selfcheck.oracle_trials import OracleEquipment, OracleServer, metrics_of, scenario
from studies.selfcheck.result import Line, OracleOutcome, unmeasured
from studies.selfcheck.theory import fifo_latencies_s, md1_load_at

SLO_SERVICES = 5.0
"""The objective on p95, in service times."""
ALLOWED = 0.05
SAME_DECISIONS = 0.75
"""Of the steps that the generator let the server decide. A close call may turn on what the network adds."""
MISCOUNTED = 0.02
"""Of a step's requests: by so many, at most, may its violations differ from those of its arrivals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSize:
    service_s: float
    step_s: float
    measure_s: float
    trials: int


QUICK = SearchSize(service_s=0.005, step_s=1.5, measure_s=2.0, trials=1)
FULL = SearchSize(service_s=0.002, step_s=4.0, measure_s=12.0, trials=3)


def check(equipment: OracleEquipment) -> OracleOutcome:
    """Every step of a search against its own arrivals; in full also the capacity against theory."""
    size = FULL if equipment.full else QUICK
    load = _scenario(size)
    server = OracleServer(name="md1", module="queue_server", arguments=("--service-s", f"{size.service_s}"))
    measure = equipment.valid_trial if equipment.full else equipment.trial
    trials = [measure(server, load, block=block) for block in range(1, size.trials + 1)]
    steps = _decisions(trials, load, size.service_s)
    return OracleOutcome(lines=(steps, _confirmed(trials, size.service_s)) if equipment.full else (steps,))


def _scenario(size: SearchSize) -> Scenario:
    # A server that serves one at a time is never idle while the second client waits.
    search = CapacityLoad(clients=2, pilot_s=1.0, step_s=size.step_s, steps=6)
    slo_ms = SLO_SERVICES * size.service_s * 1000
    return scenario("p95-of-5-services", search, measure_s=size.measure_s, slo_ms=slo_ms)


def _decisions(trials: Sequence[TrialOutcome], load: Scenario, service_s: float) -> Line:
    """Lindley's recursion tells each latency from the arrivals sent: would the rule have decided so?

    There is no warm-up: the queue is empty when a step begins, and the recursion knows of every arrival.
    """
    pairs = [
        (step, _ideal(step, sent, load, service_s))
        for trial in trials
        if trial.record.search
        for step, sent in zip(trial.record.search.steps, trial.steps, strict=True)
        if step.outcome is not StepOutcome.GENERATOR_LIMITED
    ]
    if not pairs:
        told = "; ".join(reason for trial in trials for reason in trial.record.reasons)
        return unmeasured("capacity", f"no step could be decided: {told}")
    same = sum(step.outcome is ideal.outcome for step, ideal in pairs)
    off = [step.violations / step.offered - ideal.violations / ideal.offered for step, ideal in pairs]
    return Line(
        oracle="capacity",
        quantity="steps decided as their own arrivals ask",
        theory="all",
        measured=f"{same} of {len(pairs)}; violations off by {median(off):+.1%} of the requests",
        gate=f"at least {SAME_DECISIONS:.0%}, and off by at most {MISCOUNTED:.0%}",
        met=same >= SAME_DECISIONS * len(pairs) and abs(median(off)) <= MISCOUNTED,
    )


def _ideal(step: CapacityStep, sent: LoadRecord, load: Scenario, service_s: float) -> CapacityStep:
    """The step as a server without any overhead would have passed or failed it."""
    ideal = replace(sent, finished_s=sent.intended_s + _own_latencies_s(sent, service_s))
    return judge_step(
        ideal, scenario=load, rate_per_s=step.rate_per_s, confirmation=step.confirmation, limits=()
    )


def _own_latencies_s(sent: LoadRecord, service_s: float) -> NDArray[np.float64]:
    """What these arrivals, ascending, must wait and be served for."""
    return fifo_latencies_s(sent.intended_s, np.full(sent.intended_s.size, service_s))


def _confirmed(trials: Sequence[TrialOutcome], service_s: float) -> Line:
    """What the network adds to every latency leaves that much less of the objective for the queue."""
    added = median(_added_services(trial, service_s) for trial in trials)
    truth = md1_load_at(SLO_SERVICES - added, q=0.95)
    found = summarise([(metrics_of(trial).capacity_per_s or 0.0) * service_s for trial in trials])
    off = found.center / truth - 1
    return Line(
        oracle="capacity",
        quantity=f"M/D/1 under p95 <= {SLO_SERVICES:g} D, of which the network takes {added:.2f} D",
        theory=f"load {truth:.3f}",
        measured=f"load {found.center:.3f} ({found.lo or 0:.3f}-{found.hi or 0:.3f}): {off:+.1%}",
        gate=f"within {ALLOWED:.0%}",
        met=abs(off) <= ALLOWED,
    )


def _added_services(trial: TrialOutcome, service_s: float) -> float:
    """The median of what the confirmation's latencies were over those of its arrivals, in service times."""
    load = trial.load
    assert load is not None
    measured_s = load.finished_s - load.intended_s
    over_s = (measured_s - _own_latencies_s(load, service_s))[intended_inside(load)]
    return float(np.nanmedian(over_s)) / service_s
