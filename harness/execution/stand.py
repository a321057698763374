"""One trial's server and load generator for as long as they stand: start, ready, verify, ..., stop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import TracebackType

import numpy as np

from harness.deployment import (
    DeploymentSpec,
    DeploymentState,
    MemorySnapshot,
    ResourceReading,
    ServerFacts,
)
from harness.errors import CannotServe, TrialError, VariantError
from harness.execution.bench import Bench, TrialOutcome, deployment_spec
from harness.execution.capacity import Searched
from harness.execution.failure import killed_for_memory, reasons_of
from harness.execution.ports import Clock, Deployment, Generator
from harness.measurement.accounting import new_workers, wrong_bodies
from harness.measurement.capacity import capacity_of, search_findings
from harness.measurement.evidence import Evidence
from harness.measurement.load import LoadRecord
from harness.measurement.metrics import trial_metrics
from harness.measurement.rounds import without
from harness.measurement.signals import trial_signals
from harness.measurement.validity import Judgement, judge
from harness.model import Trial, TrialMetrics, TrialRecord, Validity
from harness.planning.recipes import EXPECTED_STACK
from harness.signals import TrialSignals


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a trial gathered under its load."""

    load: LoadRecord
    readings: tuple[ResourceReading, ...]
    busy_s: float | None
    """Busy time of the server's cores with anything, from the first reading to the last."""
    under_load_s: float | None = None
    """For how long there was load; None: all the time."""
    searched: Searched | None = None
    rounds: tuple[int, ...] = ()
    """Of a load in slices, the number of the round that each belonged to."""
    disturbed: Mapping[int, str] = field(default_factory=dict)
    """Rounds that do not count, and why."""


class Stand:
    """What befalls the server is noted; only the machine's own faults are raised.

    A context manager: whatever happens, generator and server are removed on the way out. Then `outcome` has
    what the trial came to.
    """

    generator: Generator
    deployment: Deployment

    def __init__(self, trial: Trial, bench: Bench, spec: DeploymentSpec | None = None) -> None:
        """`spec` starts a server that is no recipe of ours, such as an oracle."""
        self.trial = trial
        self._bench, self._spec = bench, spec
        self._started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._phases_s: dict[str, float] = {}
        self._serving, self._loading = ExitStack(), ExitStack()
        self._stands = False
        self._error: TrialError | VariantError | None = None
        self._state: DeploymentState | None = None
        self._killed_for_memory = False
        self._before: MemorySnapshot | None = None
        self._facts: ServerFacts | None = None
        self._measured: Measured | None = None
        self._metrics: TrialMetrics | None = None
        self._signals: TrialSignals | None = None
        self._worker_changes: int | None = None
        self._judgement = Judgement(Validity.INVALID, (), ())
        self._rounds_left_out: Mapping[str, int] = {}

    def __enter__(self) -> Stand:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.guarded():
            self.stop()

    @property
    def works(self) -> bool:
        """Nothing has befallen it yet."""
        return self._error is None

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """What befalls this trial in here ends it, and nothing else."""
        try:
            yield
        except (TrialError, VariantError) as error:
            self._error = self._error or error

    def lap(self, phase: str) -> AbstractContextManager[None]:
        """Note how long a phase took, once it has ended well."""
        return _lap(self._phases_s, phase, self._bench.clock)

    def start(self) -> None:
        """The server, and the load generator beside it."""
        with self.lap("start"):
            spec = self._spec or deployment_spec(self.trial, self._bench)
            self._serving.callback(self._lap_of_stop)
            self.deployment = self._serving.enter_context(self._bench.engine.running(spec))
            self._stands = True
            self._serving.callback(self._note_state)
            self.generator = self._loading.enter_context(self._bench.generators.attached(self.deployment))

    def await_ready(self) -> None:
        """Until it serves; then every kind of request is answered as expected."""
        variant, scenario = self.trial.cell.variant, self.trial.cell.scenario
        with self.lap("ready"):
            self.generator.wait_ready(
                workers=variant.workers,
                timeout_s=self._bench.ready_timeout_s,
                scenario=scenario,
                ready=self._bench.target.ready,
                inside=variant.wrapped,
            )
        with self.lap("verify"):
            self.generator.verify(scenario)
            self._before, self._facts = self.deployment.memory(), self._probe()

    def conclude(self, measured: Measured) -> None:
        """Look at the server once more after its load, and judge the trial."""
        self._measured = measured
        after, facts_after = self.deployment.memory(), self._probe()
        if measured.rounds:
            # Its neighbours map the same files: PSS and USS would be those of all of them together.
            self._before = after = None
        self.generator.verify(self.trial.cell.scenario)
        self._loading.close()
        self._judge(measured, after, facts_after)

    def stop(self) -> None:
        """Remove the generator and the server. May be called twice."""
        with self._serving, self._loading:
            pass

    def outcome(self) -> TrialOutcome:
        """What the trial came to, once the server is gone."""
        measured, error = self._measured, self._error
        judgement, metrics = self._judgement, self._metrics
        if error is not None:
            judgement, metrics = Judgement(Validity.INVALID, self._reasons(error), ()), None
        load = measured.load if measured else None
        searched = measured.searched if measured else None
        cell = self.trial.cell
        record = TrialRecord(
            trial_id=self.trial.id,
            variant_id=cell.variant.id,
            scenario=cell.scenario.name,
            block=self.trial.block,
            validity=judgement.validity,
            reasons=judgement.reasons,
            metrics=metrics,
            facts=self._facts,
            phases_s=self._phases_s,
            started_at=self._started_at,
            oom_killed=self._oom_killed,
            signals=self._signals,
            search=searched.search if searched else None,
            cannot_serve=isinstance(error, CannotServe),
            before_load=error is not None and "verify" not in self._phases_s,
            not_checked=judgement.not_checked,
            worker_changes=self._worker_changes,
            wrong_bodies=wrong_bodies(load) if load else 0,
            rounds=len(measured.rounds) if measured and measured.rounds else None,
            rounds_left_out=self._rounds_left_out,
        )
        return TrialOutcome(
            record=record,
            load=load,
            steps=searched.loads if searched else (),
            readings=measured.readings if measured else (),
            log=self.deployment.log() if self._stands else "",
        )

    def _judge(
        self, measured: Measured, after: MemorySnapshot | None, facts_after: ServerFacts | None
    ) -> None:
        bench, variant, searched = self._bench, self.trial.cell.variant, measured.searched
        scenario = searched.scenario if searched else self.trial.cell.scenario
        load, readings = measured.load, measured.readings
        if measured.rounds:
            quiet = np.array([number not in measured.disturbed for number in measured.rounds])
            load, readings = without(load, readings, quiet)
        self._rounds_left_out = Counter(
            measured.disturbed[number] for number in measured.rounds if number in measured.disturbed
        )
        metrics = trial_metrics(
            load,
            readings,
            scenario=scenario,
            before=self._before,
            after=after,
            may_refuse=variant.limit_concurrency is not None,
        )
        before, later, own_load = self._facts, facts_after, measured.load
        if searched:
            metrics = replace(metrics, capacity_per_s=capacity_of(searched.search))
            before, later, own_load = searched.before, searched.after, searched.own_load
        self._metrics = metrics
        self._signals = trial_signals(
            before, later, own_load, cpu_cores=metrics.cpu_cores, under_load_s=measured.under_load_s
        )
        if variant.planned_worker_changes and self._facts and facts_after:
            self._worker_changes = new_workers(self._facts, facts_after)
        found = search_findings(searched.search, self.trial.cell.scenario) if searched else ()
        self._judgement = judge(
            Evidence(
                variant=variant,
                scenario=scenario,
                load=load,
                readings=readings,
                busy_s=measured.busy_s,
                busy_over=(measured.readings[0], measured.readings[-1]) if measured.readings else None,
                metrics=metrics,
                facts_before=self._facts,
                facts_after=facts_after,
                state=self.deployment.state(),
                log=self.deployment.log(),
                server_cpus=len(bench.server_cpus),
                ceiling_per_s=bench.ceiling_of(self.trial.cell.scenario),
                expected_stack=EXPECTED_STACK.get(variant.recipe),
                signals=self._signals,
                rounds=len(measured.rounds),
                rounds_left_out=self._rounds_left_out,
                of_search=tuple(found),
            )
        )

    def _reasons(self, error: TrialError | VariantError) -> tuple[str, ...]:
        reasons = reasons_of(
            error,
            deployment=self.deployment if self._stands else None,
            state=self._state,
            phases_s=self._phases_s,
            oom_killed=self._oom_killed,
            target=self._bench.target,
        )
        return tuple(reason.removeprefix(f"{self.trial.id}: ") for reason in reasons)

    @property
    def _oom_killed(self) -> bool:
        """Any process of it, the first or a worker."""
        readings = self._measured.readings if self._measured else ()
        first = self._state is not None and self._state.oom_killed
        return first or self._killed_for_memory or any(reading.oom_kills for reading in readings)

    def _note_state(self) -> None:
        """Just before the server is stopped."""
        with self.lap("collect"):
            self._state = self.deployment.state()
            self._killed_for_memory = self._measured is None and killed_for_memory(self.deployment)
        self._stop_began_s = self._bench.clock.monotonic()

    def _lap_of_stop(self) -> None:
        if self._stands:
            self._phases_s["stop"] = round(self._bench.clock.monotonic() - self._stop_began_s, 4)

    def _probe(self) -> ServerFacts | None:
        return self.generator.probe() if self.trial.cell.variant.wrapped else None


@contextmanager
def _lap(phases_s: dict[str, float], phase: str, clock: Clock) -> Iterator[None]:
    began_s = clock.monotonic()
    yield
    phases_s[phase] = round(clock.monotonic() - began_s, 4)
