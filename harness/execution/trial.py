"""One trial on its own: start, ready, verify, warm up, measure, drain, verify, collect, stop (METHOD, 6)."""

from __future__ import annotations

from harness.deployment import DeploymentSpec
from harness.execution.bench import Bench, Progress, TrialOutcome
from harness.execution.capacity import Searched, search_capacity
from harness.execution.observer import Observer
from harness.execution.stand import Measured, Stand
from harness.measurement.load import LoadRecord
from harness.model import CapacityLoad, Trial


def run_trial(
    trial: Trial, bench: Bench, *, progress: Progress, spec: DeploymentSpec | None = None
) -> TrialOutcome:
    """Measure one trial. A failure of the variant is an outcome; only the machine's own faults are raised.

    `spec` starts a server that is no recipe of ours, such as an oracle.
    """
    with Stand(trial, bench, spec) as stand, stand.guarded():
        stand.start()
        stand.await_ready()
        stand.conclude(in_one_piece(stand, bench, progress=progress))
    return stand.outcome()


def in_one_piece(stand: Stand, bench: Bench, *, progress: Progress) -> Measured:
    """Put a server that is ready under the whole of its load. Raises TrialError."""
    searched: Searched | None = None
    load: LoadRecord | None = None
    busy_before_s = bench.busy_s(bench.server_cpus) if bench.busy_s else 0.0
    scenario, seed = stand.trial.cell.scenario, bench.seed + stand.trial.block
    with stand.lap("load"), Observer(stand.deployment, bench.clock) as observer:
        if isinstance(scenario.load, CapacityLoad):
            searched = search_capacity(
                scenario,
                generator=stand.generator,
                deployment=stand.deployment,
                seed=seed,
                ceiling_per_s=bench.ceiling_per_s,
                progress=progress,
                inside=stand.trial.cell.variant.wrapped,
            )
            load = searched.load
        else:
            load = stand.generator.drive(scenario, seed=seed, progress=progress)
    return Measured(
        load=load,
        readings=tuple(observer.readings),
        busy_s=bench.busy_s(bench.server_cpus) - busy_before_s if bench.busy_s else None,
        searched=searched,
    )
