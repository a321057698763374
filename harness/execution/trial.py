"""One trial on its own: start, ready, verify, warm up, measure, drain, verify, collect, stop (METHOD, 6)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from harness.execution.capacity_search import Searched, search_capacity
from harness.execution.equipment import Equipment, Progress, TrialOutcome
from harness.execution.observer import Observer
from harness.execution.server import SpecOf, server_for
from harness.execution.visit import Measured, Visit
from harness.judging import judged
from harness.measurement.load import LoadRecord
from harness.model import CapacityLoad, Trial


def run_trial(
    trial: Trial, equipment: Equipment, *, progress: Progress, spec_of: SpecOf | None = None
) -> TrialOutcome:
    """Measure one trial on a server of its own.

    A failure of the variant is an outcome; only the machine's own faults are raised.
    """
    server = server_for(trial, equipment, name=trial.id, spec_of=spec_of)
    with ExitStack() as stack:
        stack.callback(server.stop)
        visit = Visit(trial, server, equipment, alone=True)
        with visit.guarded():
            visit.start()
            visit.await_ready()
            visit.conclude(in_one_piece(visit, equipment, progress=progress))
        visit.end()
    (outcome,) = outcomes_of([visit])
    return outcome


def outcomes_of(visits: Sequence[Visit]) -> list[TrialOutcome]:
    """Of a trial, or of those that took turns: judged together."""
    gathered = [visit.gathered() for visit in visits]
    return [
        visit.outcome(record, left)
        for visit, record, left in zip(visits, judged(gathered), gathered, strict=True)
    ]


def in_one_piece(visit: Visit, equipment: Equipment, *, progress: Progress) -> Measured:
    """Put a server that is ready under the whole of its load. Raises TrialError."""
    searched: Searched | None = None
    load: LoadRecord | None = None
    busy_before_s = equipment.busy_s(equipment.server_cpus) if equipment.busy_s else 0.0
    scenario, seed = visit.trial.cell.scenario, equipment.seed + visit.trial.block
    with visit.lap("load"), Observer(visit.server.deployment, equipment.clock) as observer:
        if isinstance(scenario.load, CapacityLoad):
            searched = search_capacity(
                scenario,
                generator=visit.server.generator,
                deployment=visit.server.deployment,
                seed=seed,
                ceiling_per_s=equipment.ceiling_per_s,
                progress=progress,
                inside=visit.trial.cell.variant.wrapped,
            )
            load = searched.load
        else:
            load = visit.server.generator.drive(scenario, seed=seed, progress=progress)
    return Measured(
        load=load,
        readings=tuple(observer.readings),
        busy_s=equipment.busy_s(equipment.server_cpus) - busy_before_s if equipment.busy_s else None,
        searched=searched,
    )
