"""One trial on a server that stands, or is started for it: start, ready, verify, ..., and what it left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isnan

from harness.deployment import DeploymentState, MemorySnapshot, ResourceReading, ServerFacts
from harness.errors import CannotServe, TrialError, VariantError
from harness.evidence import SearchEvidence, TrialEvidence
from harness.execution.capacity_search import Searched
from harness.execution.equipment import Equipment, TrialOutcome
from harness.execution.failure import killed_for_memory, reasons_of
from harness.execution.server import Server
from harness.judging import Gathered
from harness.measurement.load import LoadRecord
from harness.model import Trial, TrialRecord, Validity
from harness.redaction import without_secrets


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


class Visit:
    """What befalls the server is noted; only the machine's own faults are raised.

    Load visits a server for one trial. Others may have come before it, and others may come after it.
    """

    def __init__(self, trial: Trial, server: Server, equipment: Equipment, *, alone: bool) -> None:
        """`alone`: no other server stands next to it."""
        self.trial, self.server = trial, server
        self._equipment, self._alone = equipment, alone
        self._started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._suspended_s = equipment.clock.suspended_s()
        self._phases_s: dict[str, float] = {}
        self._error: TrialError | VariantError | None = None
        self._state: DeploymentState | None = None
        self._killed_for_memory = False
        self._said_before = ""
        self._before: MemorySnapshot | None = None
        self._facts: ServerFacts | None = None
        self._overflows: int | None = None
        self._measured: Measured | None = None
        self._evidence: TrialEvidence | None = None

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

    @contextmanager
    def lap(self, phase: str) -> Iterator[None]:
        """Note how long a phase took, once it has ended well."""
        began_s = self._equipment.clock.monotonic()
        yield
        self._phases_s[phase] = round(self._equipment.clock.monotonic() - began_s, 4)

    def start(self) -> None:
        """The server, where it does not stand already, and the load generator next to it."""
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
            self._overflows = self.server.deployment.listen_overflows()

    def conclude(self, measured: Measured) -> None:
        """Look at the server once more after its load."""
        self._measured = measured
        memory, facts = self._memory(), self._probe()
        overflows = self.server.deployment.listen_overflows()
        self.server.generator.verify(self.trial.cell.scenario)
        self._state = self.server.deployment.state()
        self._evidence = TrialEvidence(
            started_at=self._started_at,
            facts_before=self._facts,
            facts_after=facts,
            memory_before=self._before,
            memory_after=memory,
            listen_overflows=_grown(self._overflows, overflows),
            state=self._state,
            busy_s=measured.busy_s,
            under_load_s=measured.under_load_s,
            rounds=measured.rounds,
            suspended_s=self._equipment.clock.suspended_s() - self._suspended_s,
            server_cpus=len(self._equipment.server_cpus),
            ceiling_per_s=self._equipment.ceiling_of(self.trial.cell.scenario),
            search=_search_evidence(measured.searched) if measured.searched else None,
        )

    def end(self) -> None:
        """Note how the server fares, and remove it with its generator."""
        with self.guarded():
            if self.server.started:
                self._state = self.server.deployment.state()
                if self._measured is None:
                    self._killed_for_memory = killed_for_memory(self.server.deployment)
                with self.lap("stop"):
                    self.server.stop()

    def gathered(self) -> Gathered:
        """All that the trial left; nothing of it is judged."""
        measured, error, cell = self._measured, self._error, self.trial.cell
        record = TrialRecord(
            trial_id=self.trial.id,
            variant_id=cell.variant.id,
            scenario=cell.scenario.name,
            block=self.trial.block,
            validity=Validity.INVALID,
            reasons=self._reasons(error) if error else (),
            metrics=None,
            facts=self._facts,
            phases_s=self._phases_s,
            started_at=self._started_at,
            oom_killed=self._oom_killed,
            cannot_serve=isinstance(error, CannotServe),
            before_load=error is not None and "verify" not in self._phases_s,
        )
        return Gathered(
            cell=cell,
            record=record,
            evidence=None if error else self._evidence,
            load=measured.load if measured else None,
            readings=measured.readings if measured else (),
            log=self._log(),
        )

    def outcome(self, record: TrialRecord, gathered: Gathered) -> TrialOutcome:
        """With the record that was made of what the trial left."""
        searched = self._measured.searched if self._measured else None
        return TrialOutcome(
            record=record,
            evidence=gathered.evidence,
            load=gathered.load,
            steps=searched.loads if searched else (),
            readings=gathered.readings,
            log=gathered.log,
        )

    def _reasons(self, error: TrialError | VariantError) -> tuple[str, ...]:
        reasons = reasons_of(
            error,
            deployment=self.server.deployment if self.server.started else None,
            state=self._state,
            phases_s=self._phases_s,
            oom_killed=self._oom_killed,
            target=self._equipment.target,
        )
        told = (without_secrets(reason, self._equipment.hidden) for reason in reasons)
        return tuple(reason.removeprefix(f"{self.server.name}: ") for reason in told)

    @property
    def _oom_killed(self) -> bool:
        """Any process of it, the first or a worker."""
        readings = self._measured.readings if self._measured else ()
        first = self._state is not None and self._state.oom_killed
        return first or self._killed_for_memory or any(reading.oom_kills for reading in readings)

    def _log(self) -> str:
        """What the server said since this trial began, as far as it is kept."""
        said = self.server.deployment.log() if self.server.started else ""
        return without_secrets(said.removeprefix(self._said_before), self._equipment.hidden)

    def _memory(self) -> MemorySnapshot | None:
        """None next to others: of files that all of them map, each would be charged a part."""
        return self.server.deployment.memory() if self._alone else None

    def _probe(self) -> ServerFacts | None:
        return self.server.generator.probe() if self.trial.cell.variant.wrapped else None


def _grown(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before


def _search_evidence(searched: Searched) -> SearchEvidence:
    return SearchEvidence(
        search=searched.search,
        scenario=searched.scenario,
        facts_before=searched.before,
        facts_after=searched.after,
        in_flight_s=None if isnan(searched.own_load.in_flight_s) else searched.own_load.in_flight_s,
    )
