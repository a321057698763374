"""One trial on a server that stands, or is started for it: start, ready, verify, ..., and what it came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np

from harness.deployment import (
    DeploymentState,
    MemorySnapshot,
    ResourceReading,
    ServerFacts,
)
from harness.errors import CannotServe, TrialError, VariantError
from harness.execution.bench import Bench, TrialOutcome
from harness.execution.capacity import Searched
from harness.execution.failure import killed_for_memory, reasons_of
from harness.execution.ports import Clock
from harness.execution.server import Server
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


class Visit:
    """What befalls the server is noted; only the machine's own faults are raised.

    Load visits a server for one trial. Others may have come before it, and others may come after it.
    """

    def __init__(self, trial: Trial, server: Server, bench: Bench, *, alone: bool) -> None:
        """`alone`: no other server stands beside it."""
        self.trial, self.server = trial, server
        self._bench, self._alone = bench, alone
        self._started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._phases_s: dict[str, float] = {}
        self._error: TrialError | VariantError | None = None
        self._state: DeploymentState | None = None
        self._killed_for_memory = False
        self._said_before = ""
        self._before: MemorySnapshot | None = None
        self._facts: ServerFacts | None = None
        self._measured: Measured | None = None
        self._metrics: TrialMetrics | None = None
        self._signals: TrialSignals | None = None
        self._worker_changes: int | None = None
        self._judgement = Judgement(Validity.INVALID, (), ())
        self._rounds_left_out: Mapping[str, int] = {}

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
        """The server, where it does not stand already, and the load generator beside it."""
        if self.server.started:
            self._said_before = self.server.deployment.log()
            return
        with self.lap("start"):
            self.server.start()

    def await_ready(self) -> None:
        """Until it serves; then every kind of request is answered as expected."""
        with self.lap("ready"):
            self.server.await_ready(self.trial)
        with self.lap("verify"):
            self.server.generator.verify(self.trial.cell.scenario)
            self._before, self._facts = self._memory(), self._probe()

    def conclude(self, measured: Measured) -> None:
        """Look at the server once more after its load, and judge the trial."""
        self._measured = measured
        after, facts_after = self._memory(), self._probe()
        self.server.generator.verify(self.trial.cell.scenario)
        self._state = self.server.deployment.state()
        self._judge(measured, after, facts_after, self._state)

    @property
    def failed(self) -> bool:
        """There are no figures, or none that count: what comes next needs another server."""
        return self._error is not None or self._judgement.validity is Validity.INVALID

    def end(self) -> None:
        """Note how the server fares, and remove it with its generator. May be called twice."""
        with self.guarded():
            if self.server.started and "stop" not in self._phases_s:
                self._state = self.server.deployment.state()
                if self._measured is None:
                    self._killed_for_memory = killed_for_memory(self.server.deployment)
                with self.lap("stop"):
                    self.server.stop()

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
            log=self._log(),
        )

    def _judge(
        self,
        measured: Measured,
        after: MemorySnapshot | None,
        facts_after: ServerFacts | None,
        state: DeploymentState,
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
                state=state,
                log=self._log(),
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
            deployment=self.server.deployment if self.server.started else None,
            state=self._state,
            phases_s=self._phases_s,
            oom_killed=self._oom_killed,
            target=self._bench.target,
        )
        return tuple(reason.removeprefix(f"{self.server.name}: ") for reason in reasons)

    @property
    def _oom_killed(self) -> bool:
        """Any process of it, the first or a worker."""
        readings = self._measured.readings if self._measured else ()
        first = self._state is not None and self._state.oom_killed
        return first or self._killed_for_memory or any(reading.oom_kills for reading in readings)

    def _log(self) -> str:
        """What the server said since this trial began, as far as it is kept."""
        said = self.server.deployment.log() if self.server.started else ""
        return said.removeprefix(self._said_before)

    def _memory(self) -> MemorySnapshot | None:
        """None beside others: of files that all of them map, each would be charged a part."""
        return self.server.deployment.memory() if self._alone else None

    def _probe(self) -> ServerFacts | None:
        return self.server.generator.probe() if self.trial.cell.variant.wrapped else None


@contextmanager
def _lap(phases_s: dict[str, float], phase: str, clock: Clock) -> Iterator[None]:
    began_s = clock.monotonic()
    yield
    phases_s[phase] = round(clock.monotonic() - began_s, 4)
