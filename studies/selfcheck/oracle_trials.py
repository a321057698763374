"""Oracle servers measured exactly as variants are: the same trial, agent, observer and validity rules."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from threading import Event, Thread
from typing import Literal

from harness.adapters.host import cpu_split
from harness.adapters.proc import running_under
from harness.deployment import DeploymentSpec, MemorySnapshot
from harness.errors import TrialError
from harness.execution.calibration import CEILING
from harness.execution.equipment import Equipment, TrialOutcome
from harness.execution.server import Row
from harness.execution.side_by_side import run_side_by_side
from harness.execution.trial import run_trial
from harness.model import (
    CapacityLoad,
    Cell,
    ClosedLoad,
    Matrix,
    OpenLoad,
    Scenario,
    Trial,
    TrialMetrics,
    TrialRecord,
    Validity,
    Variant,
)
from harness.planning.commands import GENERATOR_ARGV, inside_env
from harness.planning.plan import cells_of, plan_blocks
from harness.planning.slices import groups
from harness.ports import Deployment
from harness.recipes.placeholders import PORT

RUN_S, HALT_S = 0.07, 0.03
"""How long a slowed generator runs at a time, and how long it then stands still."""

ATTEMPTS = 2
"""How often a trial is measured whose figures the machine may spoil."""
SPOILT = (Validity.NOISY, Validity.GENERATOR_BOUND)
"""What a busy machine makes of a trial. INVALID is never measured again: where nothing was wrong, it is a
false alarm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OracleServer:
    """An oracle server: a module of oracles/ and its arguments."""

    name: str
    module: str
    arguments: tuple[str, ...]
    workers: int = 1

    @property
    def variant(self) -> Variant:
        """What the harness is told to expect: no access log, `workers` workers."""
        return Variant(recipe=self.name, workers=self.workers)


def scenario(
    name: str,
    load: ClosedLoad | OpenLoad | CapacityLoad,
    *,
    measure_s: float,
    warmup_s: float = 0.0,
    slo_ms: float = 40.0,
) -> Scenario:
    """A load of the smallest requests. Rule I3 lets the generator be late by 5 % of `slo_ms`."""
    return Scenario(
        name=name, locustfile="root", load=load, warmup_s=warmup_s, measure_s=measure_s, slo_ms=slo_ms
    )


def open_load(rate_per_s: float, arrivals: Literal["poisson", "constant"] = "poisson") -> OpenLoad:
    return OpenLoad(rate_per_s=rate_per_s, arrivals=arrivals)


def matrix_of(
    name: str, servers: Sequence[OracleServer], load: Scenario, *, blocks: int, seed: int
) -> Matrix:
    """A run over these servers, the first of them the baseline, with the margin that matrices default to."""
    variants = tuple(server.variant for server in servers)
    server_cpus, generator_cpus = cpu_split()
    return Matrix(
        name=name,
        description="",
        variants=variants,
        scenarios=(load,),
        baseline_id=variants[0].id,
        blocks=blocks,
        seed=seed,
        margin=0.03,
        budget_s=3600.0,
        ready_timeout_s=30.0,
        server_cpus=server_cpus,
        generator_cpus=generator_cpus,
    )


@contextmanager
def slowed_generators() -> Iterator[None]:
    """A context in which every load agent that this process started stands still again and again."""
    ended = Event()
    pulses = Thread(target=_pulse, args=(ended,))
    pulses.start()
    try:
        yield
    finally:
        ended.set()
        pulses.join()


def _pulse(ended: Event) -> None:
    while not ended.wait(RUN_S):
        agents = running_under(os.getpid(), GENERATOR_ARGV[-1])
        try:
            _signal(agents, signal.SIGSTOP)
            ended.wait(HALT_S)
        finally:
            _signal(agents, signal.SIGCONT)


def _signal(pids: Sequence[int], which: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, which)


class OracleEquipment:
    """Measures oracle servers on one engine."""

    def __init__(
        self, equipment: Equipment, *, image: str, generator_cpus: tuple[int, ...], full: bool
    ) -> None:
        self.equipment, self.generator_cpus, self.full = equipment, generator_cpus, full
        self.made_again: list[TrialRecord] = []
        """The attempts that the machine spoilt and that were measured again, in order."""
        self._image = image

    def trial(self, server: OracleServer, load: Scenario, *, block: int = 1) -> TrialOutcome:
        """One trial; its arrivals are seeded by its block."""
        trial = Trial(cell=Cell(variant=server.variant, scenario=load), block=block)
        return self._run(trial, server)

    def valid_trial(self, server: OracleServer, load: Scenario, *, block: int = 1) -> TrialOutcome:
        """A trial as `attempted` makes it; its arrivals are seeded by its block."""
        return self.attempted(partial(self.trial, server, load, block=block))

    def attempted(self, measure: Callable[[], TrialOutcome]) -> TrialOutcome:
        """The first of ATTEMPTS trials that the machine did not spoil, or else the last; see `made_again`."""
        (outcome,) = self._attempted(lambda: (measure(),))
        return outcome

    def _attempted(self, measure: Callable[[], Sequence[TrialOutcome]]) -> Sequence[TrialOutcome]:
        """The same of trials that are measured together."""
        for _ in range(ATTEMPTS - 1):
            outcomes = measure()
            spoilt = [outcome.record for outcome in outcomes if outcome.record.validity in SPOILT]
            if not spoilt:
                return outcomes
            self.made_again += spoilt
        return measure()

    def run(self, matrix: Matrix, servers: Sequence[OracleServer]) -> list[TrialRecord]:
        """The records of `outcomes`."""
        return [outcome.record for outcome in self.outcomes(matrix, servers)]

    def outcomes(self, matrix: Matrix, servers: Sequence[OracleServer]) -> list[TrialOutcome]:
        """Every trial of the matrix's plan, the A/A twin included, in slices as a run would have them.

        A block that the machine spoilt is measured again as a whole, as `attempted` does with a trial.
        """
        plan = plan_blocks(cells_of(matrix), blocks=matrix.blocks, seed=matrix.seed)
        by_recipe = {server.name: server for server in servers}
        found: list[TrialOutcome] = []
        for block in plan.blocks:
            for group in groups(block, matrix):
                found += self._attempted(partial(self._side_by_side, group, by_recipe))
        return found

    def _side_by_side(
        self, group: Sequence[Trial], servers: Mapping[str, OracleServer]
    ) -> Sequence[TrialOutcome]:
        """Each time on fresh servers; `servers` are by the recipe that stands for them."""

        def spec_of(trial: Trial) -> DeploymentSpec:
            return self._spec(trial.cell.variant, servers[trial.cell.variant.recipe])

        with Row(self.equipment, spec_of) as row:
            return run_side_by_side(group, self.equipment, row, progress=lambda _: None)

    def memory(self, server: OracleServer) -> MemorySnapshot:
        """What a server holds once all its workers are up. Raises TrialError."""
        with self.equipment.engine.running(self._spec(server.variant, server)) as deployment:
            with self.equipment.generators.attached(deployment) as generator:
                generator.wait_ready(
                    workers=server.workers,
                    timeout_s=self.equipment.ready_timeout_s,
                    scenario=CEILING,
                    ready=self.equipment.target.ready,
                    inside=True,
                )
            return _snapshot(deployment)

    def hog(self, cpus: tuple[int, ...], *, seconds: float) -> AbstractContextManager[Deployment]:
        """A context in which another program keeps `cpus` busy, for `seconds` at most."""
        argv = ("python", "-m", "oracles.cpu_hog", "--seconds", f"{seconds:g}")
        return self.equipment.engine.running(
            DeploymentSpec(name="cpu-hog", image=self._image, argv=argv, env={}, cpus=cpus)
        )

    def _run(self, trial: Trial, server: OracleServer) -> TrialOutcome:
        return run_trial(
            trial,
            self.equipment,
            progress=lambda _: None,
            spec_of=lambda trial: self._spec(trial.cell.variant, server),
        )

    def _spec(self, variant: Variant, server: OracleServer) -> DeploymentSpec:
        return DeploymentSpec(
            name=variant.id,
            image=self._image,
            argv=("python", "-m", f"oracles.{server.module}", "--port", PORT, *server.arguments),
            env=inside_env(variant),
            cpus=self.equipment.server_cpus,
        )


def metrics_of(outcome: TrialOutcome) -> TrialMetrics:
    """The figures of a trial that was expected to be VALID. Raises TrialError with its reasons."""
    record = outcome.record
    if record.metrics is None or record.validity is not Validity.VALID:
        reasons = "; ".join(record.reasons)
        raise TrialError(f"{record.trial_id} is {record.validity}: {reasons}")
    return record.metrics


def _snapshot(deployment: Deployment) -> MemorySnapshot:
    snapshot = deployment.memory()
    if snapshot is None:
        raise TrialError("this kernel does not let us read the servers' memory maps: run as root")
    return snapshot
