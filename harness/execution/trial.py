"""One trial: start, ready, verify, warm up, measure, drain, verify, collect, stop (METHOD, protocol 6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from harness.deployment import DeploymentSpec, DeploymentState, ResourceReading, ServerFacts
from harness.errors import CannotServe, DeploymentDied, HarnessError, TrialError, VariantError, WrongResponse
from harness.execution.capacity import Searched, search_capacity
from harness.execution.observer import Observer
from harness.execution.ports import Clock, Deployment, Engine, Generator, LoadGenerator
from harness.measurement.accounting import new_workers, wrong_bodies
from harness.measurement.capacity import capacity_of, search_findings
from harness.measurement.evidence import Evidence
from harness.measurement.load import LoadRecord
from harness.measurement.metrics import trial_metrics
from harness.measurement.signals import trial_signals
from harness.measurement.start_failure import cause, explain
from harness.measurement.validity import judge
from harness.model import (
    OWN_COMMAND,
    CapacityLoad,
    Scenario,
    Trial,
    TrialMetrics,
    TrialRecord,
    Validity,
    Variant,
)
from harness.planning.commands import processes, speaks_tls
from harness.planning.example import EXAMPLE
from harness.planning.locust_files import is_locust_file
from harness.planning.recipes import EXPECTED_STACK
from harness.search import CapacitySearch
from harness.signals import TrialSignals
from harness.target import Target

Progress = Callable[[Mapping[str, float]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What every trial of a run is measured with."""

    engine: Engine
    generators: LoadGenerator
    clock: Clock
    images: Mapping[str, str]
    """Image per recipe."""
    server_cpus: tuple[int, ...]
    ready_timeout_s: float
    seed: int
    ceiling_per_s: float | None = None
    """Highest closed-loop rate the generator reached on the static server."""
    ceilings: Mapping[str, float] = field(default_factory=dict)
    """The same with the users of a Locust file, by scenario."""
    target: Target = EXAMPLE
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Values of the target's `secret_env`, by name."""
    busy_s: Callable[[tuple[int, ...]], float] | None = None
    """Busy time of cores since boot, in seconds; None where others may use the server's cores."""

    def ceiling_of(self, scenario: Scenario) -> float | None:
        """With the users of this scenario; None where it is not known."""
        return self.ceilings.get(scenario.name) if is_locust_file(scenario) else self.ceiling_per_s


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialOutcome:
    """The record for the journal and the raw material beside it."""

    record: TrialRecord
    load: LoadRecord | None
    readings: tuple[ResourceReading, ...]
    log: str
    steps: tuple[LoadRecord, ...] = ()
    """Every load of a capacity search after its pilot, in order. They are not stored."""


@dataclass(slots=True, kw_only=True)
class _Notes:
    """What a trial has gathered so far; whatever happens next, this much is stored."""

    clock: Clock
    lap_started_s: float
    phases_s: dict[str, float] = field(default_factory=dict)
    deployment: Deployment | None = None
    state: DeploymentState | None = None
    facts: ServerFacts | None = None
    load: LoadRecord | None = None
    readings: tuple[ResourceReading, ...] = ()
    search: CapacitySearch | None = None
    steps: tuple[LoadRecord, ...] = ()
    metrics: TrialMetrics | None = None
    signals: TrialSignals | None = None
    validity: Validity = Validity.INVALID
    reasons: tuple[str, ...] = ()
    cannot_serve: bool = False
    before_load: bool = False
    not_checked: tuple[str, ...] = ()
    worker_changes: int | None = None
    killed_for_memory: bool = False
    """A worker, while the first process lives on."""

    @property
    def oom_killed(self) -> bool:
        """Any process of it, the first or a worker."""
        first = self.state is not None and self.state.oom_killed
        return first or self.killed_for_memory or any(reading.oom_kills for reading in self.readings)

    def lap(self, phase: str) -> None:
        now = self.clock.monotonic()
        self.phases_s[phase] = round(now - self.lap_started_s, 4)
        self.lap_started_s = now


def deployment_spec(trial: Trial, bench: Bench) -> DeploymentSpec:
    """How the engine is to start this trial's server."""
    variant = trial.cell.variant
    first, *beside = processes(variant, bench.target, {**bench.target.env, **bench.secrets})
    image = bench.images[variant.build]
    return DeploymentSpec(
        name=trial.id,
        image=first.image or image,
        argv=first.argv,
        env=first.env,
        cpus=bench.server_cpus,
        cpu_quota=variant.cpu_quota,
        memory_mib=variant.memory_mib,
        network=variant.network,
        stop_timeout_s=variant.graceful_timeout_s + 2.0,
        beside=tuple(replace(process, image=process.image or image) for process in beside),
        tls=speaks_tls(variant),
        cwd=bench.target.context or None,
        user=bench.target.user,
        writable=bench.target.writable,
        port=bench.target.port if variant.recipe == OWN_COMMAND else None,
    )


def run_trial(
    trial: Trial, bench: Bench, *, progress: Progress, spec: DeploymentSpec | None = None
) -> TrialOutcome:
    """Measure one trial. A failure of the variant is an outcome; only the machine's own faults are raised.

    `spec` starts a server that is no recipe of ours, such as an oracle.
    """
    started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    notes = _Notes(clock=bench.clock, lap_started_s=bench.clock.monotonic())
    try:
        with bench.engine.running(spec or deployment_spec(trial, bench)) as notes.deployment:
            try:
                _measure(trial, bench, notes.deployment, notes, progress)
            finally:
                notes.state = notes.deployment.state()
                notes.killed_for_memory = not notes.readings and _killed_for_memory(notes.deployment)
            notes.lap("collect")
        notes.lap("stop")
    except (TrialError, VariantError) as error:
        notes.validity, notes.metrics = Validity.INVALID, None
        notes.reasons = tuple(
            reason.removeprefix(f"{trial.id}: ")
            for reason in (*_what_happened(error, notes), *_explained(error, notes, bench.target))
        )
        notes.cannot_serve = isinstance(error, CannotServe)
        notes.before_load = "verify" not in notes.phases_s
    return TrialOutcome(
        record=TrialRecord(
            trial_id=trial.id,
            variant_id=trial.cell.variant.id,
            scenario=trial.cell.scenario.name,
            block=trial.block,
            validity=notes.validity,
            reasons=notes.reasons,
            metrics=notes.metrics,
            facts=notes.facts,
            phases_s=notes.phases_s,
            started_at=started_at,
            oom_killed=notes.oom_killed,
            signals=notes.signals,
            search=notes.search,
            cannot_serve=notes.cannot_serve,
            before_load=notes.before_load,
            not_checked=notes.not_checked,
            worker_changes=notes.worker_changes,
            wrong_bodies=sum(map(wrong_bodies, filter(None, (notes.load, *notes.steps)))),
        ),
        load=notes.load,
        steps=notes.steps,
        readings=notes.readings,
        log=notes.deployment.log() if notes.deployment else "",
    )


def _measure(trial: Trial, bench: Bench, deployment: Deployment, notes: _Notes, progress: Progress) -> None:
    """Everything between the server's start and its stop."""
    variant, scenario = trial.cell.variant, trial.cell.scenario
    with bench.generators.attached(deployment) as generator:
        notes.lap("start")
        generator.wait_ready(
            workers=variant.workers,
            timeout_s=bench.ready_timeout_s,
            scenario=scenario,
            ready=bench.target.ready,
            inside=variant.wrapped,
        )
        notes.lap("ready")
        generator.verify(scenario)
        before, notes.facts = deployment.memory(), _probe(generator, variant)
        notes.lap("verify")
        busy_before_s = bench.busy_s(bench.server_cpus) if bench.busy_s else 0.0
        with Observer(deployment, bench.clock) as observer:
            searched = _under_load(trial, bench, generator, notes, progress)
        busy_s = bench.busy_s(bench.server_cpus) - busy_before_s if bench.busy_s else None
        notes.readings = tuple(observer.readings)
        notes.lap("load")
        after, facts_after = deployment.memory(), _probe(generator, variant)
        generator.verify(scenario)
    assert notes.load is not None
    judged = searched.scenario if searched else scenario
    metrics = trial_metrics(
        notes.load,
        notes.readings,
        scenario=judged,
        before=before,
        after=after,
        may_refuse=variant.limit_concurrency is not None,
    )
    capacity_per_s = capacity_of(notes.search) if notes.search else None
    notes.metrics = replace(metrics, capacity_per_s=capacity_per_s)
    notes.signals = (
        trial_signals(searched.before, searched.after, searched.own_load, cpu_cores=metrics.cpu_cores)
        if searched
        else trial_signals(notes.facts, facts_after, notes.load, cpu_cores=metrics.cpu_cores)
    )
    if variant.planned_worker_changes and notes.facts and facts_after:
        notes.worker_changes = new_workers(notes.facts, facts_after)
    notes.validity, notes.reasons, notes.not_checked = judge(
        Evidence(
            variant=variant,
            scenario=judged,
            load=notes.load,
            readings=notes.readings,
            busy_s=busy_s,
            metrics=metrics,
            facts_before=notes.facts,
            facts_after=facts_after,
            state=deployment.state(),
            log=deployment.log(),
            server_cpus=len(bench.server_cpus),
            ceiling_per_s=bench.ceiling_of(scenario),
            expected_stack=EXPECTED_STACK.get(variant.recipe),
            signals=notes.signals,
            of_search=tuple(search_findings(notes.search, scenario)) if notes.search else (),
        )
    )


def _under_load(
    trial: Trial, bench: Bench, generator: Generator, notes: _Notes, progress: Progress
) -> Searched | None:
    """Put the server under its load and note it; the search where it was one."""
    scenario, seed = trial.cell.scenario, bench.seed + trial.block
    if not isinstance(scenario.load, CapacityLoad):
        notes.load = generator.drive(scenario, seed=seed, progress=progress)
        return None
    assert notes.deployment is not None
    searched = search_capacity(
        scenario,
        generator=generator,
        deployment=notes.deployment,
        seed=seed,
        ceiling_per_s=bench.ceiling_per_s,
        progress=progress,
        inside=trial.cell.variant.wrapped,
    )
    notes.load, notes.search, notes.steps = searched.load, searched.search, searched.loads
    return searched


def _probe(generator: Generator, variant: Variant) -> ServerFacts | None:
    return generator.probe() if variant.wrapped else None


def _explained(error: HarnessError, notes: _Notes, target: Target | None) -> tuple[str, ...]:
    """Why the server never served, or ended, in the words of its own log."""
    if notes.deployment is None:
        # The engine could not start it: only its own words say why.
        return tuple(filter(None, [cause(str(error), notes.state, target)]))
    served = "ready" in notes.phases_s or isinstance(error, WrongResponse)
    if served and not isinstance(error, DeploymentDied):
        return ()
    return explain(notes.deployment.log(), notes.state, target)


def _what_happened(error: HarnessError, notes: _Notes) -> tuple[str, ...]:
    """How the server ended, where it did, and what else that does not say."""
    ready = "ready" in notes.phases_s
    ended = _cause_of_death(notes, "during the trial" if ready else "before it was ready")
    told = ended and (not ready or isinstance(error, DeploymentDied))
    return ended if told else (*ended, str(error))


def _cause_of_death(notes: _Notes, when: str) -> tuple[str, ...]:
    """Why a deployment that failed its trial is gone, when it is; an OOM kill makes a variant infeasible."""
    if notes.oom_killed:
        return ("I7: infeasible, the kernel killed it for memory; raise memory_mib or lower workers",)
    if notes.state is None or notes.state.running:
        return ()
    return (f"I7: the server exited with code {notes.state.exit_code} {when}",)


def _killed_for_memory(deployment: Deployment) -> bool:
    try:
        return deployment.reading().oom_kills > 0
    except DeploymentDied:
        return False
