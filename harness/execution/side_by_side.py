"""Trials of one scenario in slices: all servers stand, one is under load at a time (METHOD, protocol 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from harness.deployment import ResourceReading
from harness.execution.equipment import Equipment, Progress, TrialOutcome
from harness.execution.server import Row, at_once
from harness.execution.trial import in_one_piece, outcomes_of, run_trial
from harness.execution.visit import Measured, Visit
from harness.measurement.load import LoadRecord
from harness.measurement.metrics import latencies, throughput_per_s
from harness.model import OpenLoad, Scenario, Trial, Validity
from harness.planning.slices import Cut, Turn, cut_of, spans_of, turns
from harness.ports import Clock, Generator

MIN_WARMUP_S = 0.3
"""Of the load that warms a server up and tells how long a slice has to be."""
LEAD_S, LEAD_EACH_S = 0.3, 0.05
"""From telling all generators their turns to the first one: time to make their schedules."""
KEEPS_UP = 0.9
"""Of an offered rate, the share that must be answered in the warm-up to take part in slices."""
MAX_IDLE = 0.02
"""Of the server's cores. Who uses more without load, such as a watcher of files, takes it from the others."""


@dataclass(frozen=True, slots=True)
class _Warm:
    """A server that may take part, and its first load."""

    visit: Visit
    load: LoadRecord


def run_side_by_side(
    trials: Sequence[Trial], equipment: Equipment, row: Row, *, progress: Progress
) -> tuple[TrialOutcome, ...]:
    """Measure trials of one scenario and block in slices that take turns.

    The servers stand in `row` and stay there for the next scenario. A single trial is measured in one piece,
    on a server of its own.

    A variant that fails ends its own trial only, and its server. One that gives no right answers, does not
    keep up with the rate, or is not idle without load would work on in its neighbours' slices: it is measured
    after them, in one piece.
    """
    if len(trials) == 1:
        row.stop()
        (trial,) = trials
        return (run_trial(trial, equipment, progress=progress, spec_of=row.spec_of),)
    servers = row.servers_of(trials)
    visits = [Visit(*pair, equipment, alone=False) for pair in zip(trials, servers, strict=True)]
    at_once(_started, visits)
    for visit in _working(visits):
        with visit.guarded():
            visit.await_ready()
    warm, apart = _warmed_up(_working(visits), equipment)
    if len(warm) > 1:
        _in_turns(warm, equipment, progress)
    else:
        apart = [*(one.visit for one in warm), *apart]
    for visit in _working(apart):
        with visit.guarded():
            visit.conclude(in_one_piece(visit, equipment, progress=progress))
    _end([visit for visit in visits if not visit.works], row)
    outcomes = outcomes_of(visits)
    invalid = [outcome.record.validity is Validity.INVALID for outcome in outcomes]
    _end([visit for visit, bad in zip(visits, invalid, strict=True) if bad and visit.works], row)
    return tuple(outcomes)


def _end(visits: Sequence[Visit], row: Row) -> None:
    """What comes next needs other servers."""
    at_once(Visit.end, visits)
    for visit in visits:
        row.forget(visit.trial)


def _started(visit: Visit) -> None:
    with visit.guarded():
        visit.start()


def _working(visits: Sequence[Visit]) -> list[Visit]:
    return [visit for visit in visits if visit.works]


def _warmed_up(visits: Sequence[Visit], equipment: Equipment) -> tuple[list[_Warm], list[Visit]]:
    """Those that may take part in slices, each with its first load, and those that may not."""
    warm: list[_Warm] = []
    apart: list[Visit] = []
    looks = [_look(visits)]
    for visit in visits:
        scenario = visit.trial.cell.scenario
        first = replace(scenario, warmup_s=0.0, measure_s=max(scenario.warmup_s, MIN_WARMUP_S))
        with visit.guarded():
            load = visit.server.generator.drive(
                first, seed=equipment.seed + visit.trial.block, progress=lambda _: None
            )
            if _takes_part(load, scenario):
                warm.append(_Warm(visit, load))
            else:
                apart.append(visit)
        looks.append(_look(visits))
    limit = MAX_IDLE * len(equipment.server_cpus)
    restless = [visit for place, visit in enumerate(visits) if _idle_cores(looks, place) > limit]
    apart += [one.visit for one in warm if one.visit in restless]
    return [one for one in warm if one.visit not in restless], apart


def _idle_cores(looks: Sequence[Mapping[int, ResourceReading]], place: int) -> float:
    """Cores used while the others were warmed up, each in its turn; 0 where that cannot be told."""
    others = [
        (before[place], after[place])
        for turn, (before, after) in enumerate(pairwise(looks))
        if turn != place and place in before and place in after
    ]
    idle_s = sum(after.at_s - before.at_s for before, after in others)
    return sum(after.cpu_s - before.cpu_s for before, after in others) / idle_s if idle_s > 0 else 0.0


def _takes_part(load: LoadRecord, scenario: Scenario) -> bool:
    answered_per_s = throughput_per_s(load)
    if isinstance(scenario.load, OpenLoad):
        return answered_per_s >= KEEPS_UP * min(scenario.load.rate_per_s, load.status.size / load.measured_s)
    return answered_per_s > 0


def _in_turns(warm: Sequence[_Warm], equipment: Equipment, progress: Progress) -> None:
    """Drive all of them through their slices, and look at each once more."""
    visits = [one.visit for one in warm]
    trial = visits[0].trial
    scenario, seed = trial.cell.scenario, equipment.seed + trial.block
    for visit in visits:
        with visit.guarded():
            visit.server.generator.prepare(scenario)
    began_s = equipment.clock.monotonic()
    _look(visits)
    look_s = equipment.clock.monotonic() - began_s
    cuts = [cut_after(one.load, scenario, look_s=look_s) for one in warm]
    order = turns(cuts, measure_s=scenario.measure_s, seed=seed)
    looks = _driven(visits, cuts, order, equipment, progress, seed=seed, look_s=look_s)
    loads: dict[int, LoadRecord] = {}
    for place, visit in enumerate(visits):
        with visit.guarded():
            if visit.works:
                loads[place] = visit.server.generator.finish(progress=lambda _: None)
    own = {place: _own(looks, order, place) for place in loads if visits[place].works}
    for place, slices in own.items():
        with visits[place].guarded():
            visits[place].conclude(
                Measured(
                    load=loads[place],
                    readings=slices.readings,
                    busy_s=slices.busy_s,
                    under_load_s=warm[place].load.measured_s + len(slices.rounds) * cuts[place].slice_s,
                    rounds=slices.rounds,
                )
            )


def _driven(
    visits: Sequence[Visit],
    cuts: Sequence[Cut],
    order: Sequence[Turn],
    equipment: Equipment,
    progress: Progress,
    *,
    seed: int,
    look_s: float,
) -> list[_Look]:
    """Every load is told of its turns; meanwhile all servers are looked at between them."""
    scenario = visits[0].trial.cell.scenario
    start_s = _start_s(len(visits), equipment.clock)
    end_s = order[-1].end_s + cuts[order[-1].place].gap_s
    for place, (visit, cut) in enumerate(zip(visits, cuts, strict=True)):
        with visit.guarded():
            visit.server.generator.begin(
                scenario,
                seed=seed,
                spans_s=spans_of(order, place),
                ramp_s=cut.ramp_s,
                start_s=start_s,
                rest_until_s=end_s,
            )
    begins_s = [*(turn.begin_s for turn in order), end_s]
    return [
        _look_at(start_s + begin_s - 2 * look_s, visits, equipment, progress, left_s=begins_s[-1] - begin_s)
        for begin_s in begins_s
    ]


def drive_in_turns(
    generators: Sequence[Generator], scenario: Scenario, cut: Cut, *, seed: int, clock: Clock
) -> list[LoadRecord]:
    """Loads in slices of one length, each taking its turn in every round; nothing else is looked at."""
    for generator in generators:
        generator.prepare(scenario)
    order = turns([cut] * len(generators), measure_s=scenario.measure_s, seed=seed)
    start_s = _start_s(len(generators), clock)
    for place, generator in enumerate(generators):
        generator.begin(
            scenario,
            seed=seed,
            spans_s=spans_of(order, place),
            ramp_s=cut.ramp_s,
            start_s=start_s,
            rest_until_s=order[-1].end_s + cut.gap_s,
        )
    return [generator.finish(progress=lambda _: None) for generator in generators]


def _start_s(count: int, clock: Clock) -> float:
    """When the first turn begins: once so many generators have made their schedules."""
    return clock.monotonic() + LEAD_S + count * LEAD_EACH_S


def cut_after(load: LoadRecord, scenario: Scenario, *, look_s: float) -> Cut:
    """For a scenario whose first load was this one, with right answers."""
    latencies_s = latencies(load)
    return cut_of(
        scenario,
        median_s=float(np.median(latencies_s)),
        longest_s=float(np.quantile(latencies_s, 0.99)),
        look_s=look_s,
    )


@dataclass(frozen=True, slots=True)
class _Look:
    """All deployments that stand, at one moment, by place; and the server's cores."""

    readings: Mapping[int, ResourceReading]
    busy_s: float | None


def _look_at(
    at_s: float, visits: Sequence[Visit], equipment: Equipment, progress: Progress, *, left_s: float
) -> _Look:
    """In the gap before a turn, whoever was at work, and whoever comes next."""
    equipment.clock.sleep(max(0.0, at_s - equipment.clock.monotonic()))
    look = _Look(_look(visits), equipment.busy_s(equipment.server_cpus) if equipment.busy_s else None)
    progress({"left_s": left_s})
    return look


@dataclass(frozen=True, slots=True, kw_only=True)
class _Own:
    """What the looks tell of one trial's slices."""

    rounds: tuple[int, ...]
    readings: tuple[ResourceReading, ...]
    """Two for each slice: just before it begins, and once it is drained."""
    busy_s: float | None
    """Busy time of the server's cores from the first reading to the last."""


def _own(looks: Sequence[_Look], order: Sequence[Turn], place: int) -> _Own:
    mine = [number for number, turn in enumerate(order) if turn.place == place]
    first_s, last_s = looks[mine[0]].busy_s, looks[mine[-1] + 1].busy_s
    return _Own(
        rounds=tuple(order[number].round for number in mine),
        readings=tuple(look.readings[place] for number in mine for look in looks[number : number + 2]),
        busy_s=None if first_s is None or last_s is None else last_s - first_s,
    )


def _look(visits: Sequence[Visit]) -> dict[int, ResourceReading]:
    """The resources of each that still stands, with what its neighbours have used."""
    found: dict[int, ResourceReading] = {}
    for place, visit in enumerate(visits):
        with visit.guarded():
            if visit.works:
                found[place] = visit.server.deployment.reading()
    all_s = sum(reading.cpu_s for reading in found.values())
    return {
        place: replace(reading, neighbours_cpu_s=all_s - reading.cpu_s) for place, reading in found.items()
    }
