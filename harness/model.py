"""The frozen nouns of the harness: METHOD's factor, level, variant, scenario, cell, trial, block, plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from harness.deployment import ServerFacts
from harness.search import CapacitySearch
from harness.signals import TrialSignals
from harness.target import Target, Version
from harness.variant import KEEP_ALIVE_S as KEEP_ALIVE_S
from harness.variant import OWN_COMMAND as OWN_COMMAND
from harness.variant import Variant as Variant
from harness.workload import RequestSpec
from wire.loads import ClosedLoad as ClosedLoad
from wire.loads import OpenLoad as OpenLoad


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityLoad:
    """The search for the highest Poisson rate at which the scenario's objective is still met.

    `clients` in a closed loop find the peak throughput first; then `steps` rates, each offered for `step_s`,
    halve the range in which the capacity lies. The scenario's window is that of the confirmation.
    """

    clients: int
    pilot_s: float = 2.0
    step_s: float = 3.0
    steps: int = 6
    kind: Literal["capacity"] = "capacity"


STEP_WARMUP_S = 0.5
"""The server is warm after the pilot: this much only lets its queue reach the new rate's length."""


USUAL_CONFIRMATIONS = 3
"""Of a capacity: one at the rate that the search found, one or two until the answer turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A named workload: a Locust file, or requests of the matrix.

    `locustfile` is the stem of a file in scenarios/, or a path that ends in ".py", relative to the matrix;
    it is empty where there are `requests`.
    """

    name: str
    locustfile: str
    load: ClosedLoad | OpenLoad | CapacityLoad
    warmup_s: float
    measure_s: float
    slo_ms: float
    slo_share: float = 0.05
    """The share of requests that may be slower than `slo_ms` (0.05: the objective is on p95)."""
    request_timeout_s: float = 10.0
    requests: tuple[RequestSpec, ...] = ()
    before: tuple[RequestSpec, ...] = ()
    """Steps that each client takes once, before its first request."""
    files_sha256: Mapping[str, str] = field(default_factory=dict)
    """Every file that the workload reads, by its path relative to the matrix."""

    @property
    def step_warmup_s(self) -> float:
        """Before each step of a capacity search, and before its confirmation."""
        return min(self.warmup_s, STEP_WARMUP_S)

    @property
    def under_load_s(self) -> float:
        """How long a trial keeps its server under load, as a rule."""
        load = self.load
        if not isinstance(load, CapacityLoad):
            return self.warmup_s + self.measure_s
        search_s = load.steps * (self.step_warmup_s + load.step_s)
        confirm_s = USUAL_CONFIRMATIONS * (self.step_warmup_s + self.measure_s)
        return self.warmup_s + load.pilot_s + search_s + confirm_s


def common_rate_name(capacity_scenario: str) -> str:
    """Of the scenario that measures every variant at one rate, once their capacities are known."""
    return f"{capacity_scenario}-at-common-rate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A variant under a scenario."""

    variant: Variant
    scenario: Scenario

    @property
    def id(self) -> str:
        return f"{self.variant.id}.{self.scenario.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One variant under one scenario in one block, on a server that was started in this block."""

    cell: Cell
    block: int

    @property
    def id(self) -> str:
        return f"{self.cell.id}.{self.block:02d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Every block holds every cell once, in a seeded random order."""

    seed: int
    blocks: tuple[tuple[Trial, ...], ...]

    @property
    def trials(self) -> tuple[Trial, ...]:
        return tuple(trial for block in self.blocks for trial in block)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """A checked matrix file: variants resolved for this machine, scenarios, and the design of the run."""

    name: str
    description: str
    variants: tuple[Variant, ...]
    """Without the A/A twin; the baseline is one of them."""
    scenarios: tuple[Scenario, ...]
    baseline_id: str
    blocks: int
    seed: int
    margin: float
    """Equivalence margin as a fraction: 0.03 is 3 %."""
    budget_s: float
    ready_timeout_s: float
    server_cpus: tuple[int, ...]
    generator_cpus: tuple[int, ...]
    """One for each process of the load generator; a CPU stands there once for every process on it."""
    host_memory_mib: int | None = None
    """Of the machine; None where it is not known."""
    precision: float | None = None
    """Half-width, a fraction, at which a scenario's ratios are known well enough; None runs every block."""
    target: Target | None = None
    """What is measured; None is the example app that ships."""
    slices: bool = True
    """Measure a scenario's variants side by side, in short slices that take turns, where that can be done."""
    wrapper_cost: bool = True
    """Measure before the first trial what the wrapper around the app costs."""

    @property
    def baseline(self) -> Variant:
        return next(variant for variant in self.variants if variant.id == self.baseline_id)

    @property
    def versions(self) -> tuple[Version, ...]:
        """Of the app, each once, in the order of the variants."""
        versions = (variant.version for variant in self.variants)
        return tuple(dict.fromkeys(version for version in versions if version is not None))

    @property
    def shared_cpus(self) -> frozenset[int]:
        """The server's CPUs that the load generator runs on too."""
        return frozenset(self.server_cpus).intersection(self.generator_cpus)


class Validity(StrEnum):
    """The verdict word on a trial's numbers. Only VALID trials are ranked."""

    VALID = "VALID"
    GENERATOR_BOUND = "GENERATOR-BOUND"
    NOISY = "NOISY"
    INVALID = "INVALID"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialMetrics:
    """What one trial measured in its window. Latencies in seconds; None where nothing completed."""

    duration_s: float
    requests: int
    """Requests that completed in the window, with a right answer."""
    errors: int
    throughput_per_s: float
    latency_p50_s: float | None
    latency_p90_s: float | None
    latency_p95_s: float | None
    latency_p99_s: float | None
    latency_max_s: float | None
    slow_share: float | None
    """Share of requests slower than the SLO (failed ones count as slow)."""
    cpu_cores: float
    """CPU seconds per second of the deployment."""
    cpu_ms_per_request: float | None
    throttled_share: float
    """Seconds of throttling per second, summed over the cores: may exceed 1."""
    working_set_peak_bytes: int
    working_set_mean_bytes: int
    pss_before_bytes: int | None
    """This and the next two: None where they cannot be read, and of a trial that had neighbours."""
    pss_after_bytes: int | None
    uss_after_bytes: int | None
    generator_cpu_share: float
    """Mean share of its core used by the busiest generator process."""
    send_lateness_p99_s: float | None
    """Open loop only: sent minus intended."""
    steal_share: float
    capacity_per_s: float | None = None
    """Capacity scenarios only: the highest rate that was confirmed to meet the objective."""
    refused: int = 0
    """Answered with 503 by a variant that limits its concurrency: neither right nor an error."""
    memory_growth_mib_per_1000: float | None = None
    """Growth of the working set in the window, in MiB per 1,000 right answers; None with too few readings."""
    throttled_periods_share: float | None = None
    """Of the quota's periods in which the server had something to run, those in which the quota ran out. Idle
    periods do not count, so it tells how much of the work was held up, however little there was of it. None
    without a quota."""
    listen_overflows: int | None = None
    """Connections that found the server's listen queue full, from the warm-up on: each tries again after a
    second. None where that cannot be told."""
    idle_cpu_cores: float | None = None
    """Cores used while neighbours were at work; None of a trial that had none."""
    in_flight_growth: float | None = None
    """By how many requests the number in flight rose over the window, 0 where that may be chance: a queue
    that builds up. Open load in one piece only."""

    @property
    def capacity_per_gib(self) -> float | None:
        """Capacity per GiB of peak working set."""
        if self.capacity_per_s is None or not self.working_set_peak_bytes:
            return None
        return self.capacity_per_s / (self.working_set_peak_bytes / 2**30)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """The stored outcome of one trial. A failed trial has reasons and no metrics; it is never a zero."""

    trial_id: str
    variant_id: str
    scenario: str
    block: int
    validity: Validity
    reasons: tuple[str, ...]
    metrics: TrialMetrics | None
    facts: ServerFacts | None
    phases_s: Mapping[str, float]
    """Duration of each phase: start, ready, verify, load, drain, collect, stop."""
    started_at: str
    """UTC, ISO 8601."""
    oom_killed: bool = False
    """The variant did not fit into its memory: infeasible, however its other trials went."""
    signals: TrialSignals | None = None
    """What tells where its limit lay; None where the load did not end, or the server tells nothing."""
    search: CapacitySearch | None = None
    """Capacity scenarios only."""
    cannot_serve: bool = False
    """The server runs and breaks on every request of this app: a finding, not an accident."""
    before_load: bool = False
    """It failed before any load was sent: at its start, at getting ready, or at its first answers."""
    not_checked: tuple[str, ...] = ()
    """Validity rules that need a look inside, which a black box does not give, such as "I2"."""
    worker_changes: int | None = None
    """Workers that were new at the end, where the variant replaces its workers on purpose."""
    wrong_bodies: int = 0
    """Answers of the right status with a body that the scenario does not expect."""
    rounds: int | None = None
    """In how many slices it was measured, one each round; None of a trial in one piece."""
    rounds_left_out: Mapping[str, int] = field(default_factory=dict)
    """How many of them do not count, by what disturbed them."""

    @property
    def cell_id(self) -> str:
        """As in `Cell.id`."""
        return f"{self.variant_id}.{self.scenario}"
