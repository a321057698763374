"""The search for a capacity: closed pilot, bisection, fresh confirmation (METHOD, protocol 7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from harness.deployment import ServerFacts
from harness.errors import TrialError
from harness.measurement.capacity import cpu_ms_per_request, generator_limits, standing_step
from harness.measurement.load import LoadRecord
from harness.measurement.metrics import throughput_per_s
from harness.measurement.pass_rule import judge_step
from harness.model import CapacityLoad, ClosedLoad, OpenLoad, Scenario
from harness.ports import Deployment, Generator
from harness.search import CapacitySearch, CapacityStep, StepOutcome

LOWEST, HIGHEST = 0.3, 1.1
"""Where the capacity is looked for, as shares of the closed loop's peak."""
CONFIRMATIONS = 10
"""At most so many rates are offered to confirm one."""
SEEDS_PER_TRIAL = 1000

Progress = Callable[[Mapping[str, float]], None]


class Offer(Protocol):
    def __call__(self, rate_per_s: float, *, confirmation: bool) -> StepOutcome: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """A search, and the load that stands for it: the highest rate confirmed, or else the last offered."""

    search: CapacitySearch
    load: LoadRecord
    """Its totals are those of the whole search."""
    scenario: Scenario
    """What that load was, as a scenario of its own."""
    loads: tuple[LoadRecord, ...]
    """Of every step, in order."""
    before: ServerFacts | None
    after: ServerFacts | None
    """Probed right before and after the step that stands for the search; None of a black box."""
    own_load: LoadRecord
    """That step's load with its own time in flight, not the whole search's."""


def find_capacity(peak_per_s: float, *, steps: int, offer: Offer) -> None:
    """Halve the range `steps` times, then confirm: offer rates for longer, and to fresh arrivals.

    The confirmations walk from the highest rate that passed, in strides of the width that is left: up
    while they pass, down while they fail. A search that only went down would end too low, because each
    of its short steps may fail by bad luck, and never recovers. A rate that the generator could not
    offer bounds the bisection as a failed one does, and ends the walk.
    """
    lowest, low, high = LOWEST * peak_per_s, LOWEST * peak_per_s, HIGHEST * peak_per_s
    for _ in range(steps):
        rate_per_s = (low + high) / 2
        if offer(rate_per_s, confirmation=False) is StepOutcome.PASSED:
            low = rate_per_s
        else:
            high = rate_per_s
    outcome = offer(low, confirmation=True)
    stride = high - low if outcome is StepOutcome.PASSED else low - high
    for _ in range(CONFIRMATIONS - 1):
        low += stride
        if outcome is StepOutcome.GENERATOR_LIMITED or low < lowest:
            return
        before, outcome = outcome, offer(low, confirmation=True)
        if outcome is not before:
            return


def search_capacity(
    scenario: Scenario,
    *,
    generator: Generator,
    deployment: Deployment,
    seed: int,
    ceiling_per_s: float | None,
    progress: Progress,
    inside: bool = True,
) -> Searched:
    """Search a running deployment. Raises TrialError when its closed pilot gets no right response."""
    assert isinstance(scenario.load, CapacityLoad)
    rates = _Rates(
        scenario=scenario,
        generator=generator,
        deployment=deployment,
        first_seed=seed * SEEDS_PER_TRIAL,
        ceiling_per_s=ceiling_per_s,
        progress=progress,
        inside=inside,
    )
    peak_per_s = rates.pilot(scenario.load)
    find_capacity(peak_per_s, steps=scenario.load.steps, offer=rates.offer)
    search = CapacitySearch(peak_per_s=peak_per_s, steps=tuple(rates.steps))
    pilot, *loads = rates.loads
    place = standing_step(search)
    earlier = loads[place - 1] if place else pilot
    return Searched(
        search=search,
        load=loads[place].with_totals_of(loads[-1]),
        scenario=_offered(scenario, search.steps[place].rate_per_s, confirmation=True),
        loads=tuple(loads),
        before=rates.probes[place],
        after=rates.probes[place + 1],
        own_load=replace(loads[place], in_flight_s=loads[place].in_flight_s - earlier.in_flight_s),
    )


@dataclass(slots=True, kw_only=True)
class _Rates:
    """Offers one rate after the other to a deployment, each to arrivals of its own."""

    scenario: Scenario
    generator: Generator
    deployment: Deployment
    first_seed: int
    ceiling_per_s: float | None
    progress: Progress
    inside: bool
    """Whether there is a wrapper to probe."""
    steps: list[CapacityStep] = field(default_factory=list)
    loads: list[LoadRecord] = field(default_factory=list)
    """The pilot's, then one of each step."""
    probes: list[ServerFacts | None] = field(default_factory=list)
    """After the pilot, then after each step."""

    def pilot(self, load: CapacityLoad) -> float:
        """What `load.clients` reach in a closed loop, in requests/s."""
        closed = replace(self.scenario, load=ClosedLoad(clients=load.clients), measure_s=load.pilot_s)
        peak_per_s = throughput_per_s(self._drive(closed))
        if not peak_per_s:
            raise TrialError(
                f"{self.deployment.name}: wrong or missing responses only to the pilot's "
                f"{load.clients} clients within {load.pilot_s:g} s. Read server.log in the trial's directory."
            )
        return peak_per_s

    def offer(self, rate_per_s: float, *, confirmation: bool) -> StepOutcome:
        cpu_before_s, ok_before = self.deployment.reading().cpu_s, self.loads[-1].ok
        load = self._drive(_offered(self.scenario, rate_per_s, confirmation=confirmation))
        cpu_s = self.deployment.reading().cpu_s - cpu_before_s
        limits = generator_limits(
            load, scenario=self.scenario, rate_per_s=rate_per_s, ceiling_per_s=self.ceiling_per_s
        )
        step = judge_step(
            load,
            scenario=self.scenario,
            rate_per_s=rate_per_s,
            confirmation=confirmation,
            limits=tuple(limits),
            cpu_ms_per_request=cpu_ms_per_request(cpu_s, load.ok - ok_before),
        )
        self.steps.append(step)
        return step.outcome

    def _drive(self, scenario: Scenario) -> LoadRecord:
        seed = self.first_seed + len(self.loads)
        self.loads.append(self.generator.drive(scenario, seed=seed, progress=self.progress))
        self.probes.append(self.generator.probe() if self.inside else None)
        return self.loads[-1]


def _offered(scenario: Scenario, rate_per_s: float, *, confirmation: bool) -> Scenario:
    """One rate of the search as an open scenario."""
    assert isinstance(scenario.load, CapacityLoad)
    return replace(
        scenario,
        load=OpenLoad(rate_per_s=rate_per_s),
        warmup_s=scenario.step_warmup_s,
        measure_s=scenario.measure_s if confirmation else scenario.load.step_s,
    )
