"""Trials of one scenario in slices: all servers stand, one is under load at a time (METHOD, protocol 5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType

import numpy as np

from harness.deployment import DeploymentSpec, ResourceReading
from harness.execution.bench import Bench, Progress, TrialOutcome
from harness.execution.stand import Measured, Stand
from harness.execution.trial import in_one_piece, run_trial
from harness.measurement.load import LoadRecord
from harness.measurement.metrics import latencies, throughput_per_s
from harness.measurement.rounds import disturbances
from harness.model import OpenLoad, Scenario, Trial
from harness.planning.slices import Cut, Turn, cut_of, spans_of, turns

NO_SPECS: Mapping[str, DeploymentSpec] = MappingProxyType({})
MIN_WARMUP_S = 0.3
"""Of the load that warms a server up and tells how long a slice has to be."""
LEAD_S, LEAD_EACH_S = 0.3, 0.05
"""From telling all generators their turns to the first one: time to make their schedules."""
AT_ONCE = 8
"""Containers that are started or stopped at the same time, at most."""
KEEPS_UP = 0.9
"""Of an offered rate, the share that must be answered in the warm-up to take part in slices."""
MAX_IDLE = 0.02
"""Of the server's cores. Who uses more without load, such as a watcher of files, takes it from the others."""


@dataclass(frozen=True, slots=True)
class _Warm:
    """A server that may take part, and its first load."""

    stand: Stand
    load: LoadRecord


def run_side_by_side(
    trials: Sequence[Trial],
    bench: Bench,
    *,
    progress: Progress,
    specs: Mapping[str, DeploymentSpec] = NO_SPECS,
) -> tuple[TrialOutcome, ...]:
    """Measure trials of one scenario and block in slices that take turns.

    `specs` start, by trial id, servers that are no recipes of ours. A single trial is measured in one piece.

    A variant that fails ends its own trial only. One that gives no right answers, does not keep up with the
    rate, or is not idle without load would work on in its neighbours' slices: it is measured after them, in
    one piece.
    """
    if len(trials) == 1:
        (trial,) = trials
        return (run_trial(trial, bench, progress=progress, spec=specs.get(trial.id)),)
    with ExitStack() as stack:
        stands = [stack.enter_context(Stand(trial, bench, specs.get(trial.id))) for trial in trials]
        _at_once(Stand.start, stands)
        for stand in _working(stands):
            with stand.guarded():
                stand.await_ready()
        warm, apart = _warmed_up(_working(stands), bench)
        if len(warm) > 1:
            _in_turns(warm, bench, progress)
        else:
            apart = [*(one.stand for one in warm), *apart]
        for stand in _working(apart):
            with stand.guarded():
                stand.conclude(in_one_piece(stand, bench, progress=progress))
        _at_once(Stand.stop, stands)
    return tuple(stand.outcome() for stand in stands)


def _at_once(act: Callable[[Stand], None], stands: Sequence[Stand]) -> None:
    """The engine waits for most of the time that a container takes to start and to stop."""

    def guarded(stand: Stand) -> None:
        with stand.guarded():
            act(stand)

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="stand") as threads:
        for done in [threads.submit(guarded, stand) for stand in stands]:
            done.result()


def _working(stands: Sequence[Stand]) -> list[Stand]:
    return [stand for stand in stands if stand.works]


def _warmed_up(stands: Sequence[Stand], bench: Bench) -> tuple[list[_Warm], list[Stand]]:
    """Those that may take part in slices, each with its first load, and those that may not."""
    warm: list[_Warm] = []
    apart: list[Stand] = []
    looks = [_look(stands)]
    for stand in stands:
        scenario = stand.trial.cell.scenario
        first = replace(scenario, warmup_s=0.0, measure_s=max(scenario.warmup_s, MIN_WARMUP_S))
        with stand.guarded():
            load = stand.generator.drive(first, seed=bench.seed + stand.trial.block, progress=lambda _: None)
            if _takes_part(load, scenario):
                warm.append(_Warm(stand, load))
            else:
                apart.append(stand)
        looks.append(_look(stands))
    limit = MAX_IDLE * len(bench.server_cpus)
    restless = [stand for place, stand in enumerate(stands) if _idle_cores(looks, place) > limit]
    apart += [one.stand for one in warm if one.stand in restless]
    return [one for one in warm if one.stand not in restless], apart


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


def _in_turns(warm: Sequence[_Warm], bench: Bench, progress: Progress) -> None:
    """Drive all of them through their slices, and judge each."""
    stands = [one.stand for one in warm]
    trial = stands[0].trial
    scenario, seed = trial.cell.scenario, bench.seed + trial.block
    for stand in stands:
        with stand.guarded():
            stand.generator.prepare(scenario)
    began_s = bench.clock.monotonic()
    _look(stands)
    look_s = bench.clock.monotonic() - began_s
    cuts = [_cut(one.load, scenario, look_s) for one in warm]
    order = turns(cuts, measure_s=scenario.measure_s, seed=seed)
    start_s = bench.clock.monotonic() + LEAD_S + len(stands) * LEAD_EACH_S
    end_s = order[-1].end_s + cuts[order[-1].place].gap_s
    for place, (stand, cut) in enumerate(zip(stands, cuts, strict=True)):
        with stand.guarded():
            stand.generator.begin(
                scenario,
                seed=seed,
                spans_s=spans_of(order, place),
                ramp_s=cut.ramp_s,
                start_s=start_s,
                rest_until_s=end_s,
            )
    begins_s = [*(turn.begin_s for turn in order), end_s]
    looks = [
        _look_at(start_s + begin_s - 2 * look_s, stands, bench, progress, left_s=begins_s[-1] - begin_s)
        for begin_s in begins_s
    ]
    loads: dict[int, LoadRecord] = {}
    for place, stand in enumerate(stands):
        with stand.guarded():
            if stand.works:
                loads[place] = stand.generator.finish(progress=lambda _: None)
    own = {place: _own(looks, order, place) for place in loads if stands[place].works}
    disturbed = disturbances(
        [(slices.rounds, slices.readings) for slices in own.values()], server_cpus=len(bench.server_cpus)
    )
    for place, slices in own.items():
        with stands[place].guarded():
            stands[place].conclude(
                Measured(
                    load=loads[place],
                    readings=slices.readings,
                    busy_s=slices.busy_s,
                    under_load_s=warm[place].load.measured_s + len(slices.rounds) * cuts[place].slice_s,
                    rounds=slices.rounds,
                    disturbed=disturbed,
                )
            )


def _cut(load: LoadRecord, scenario: Scenario, look_s: float) -> Cut:
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
    at_s: float, stands: Sequence[Stand], bench: Bench, progress: Progress, *, left_s: float
) -> _Look:
    """In the gap before a turn, whoever was at work, and whoever comes next."""
    bench.clock.sleep(max(0.0, at_s - bench.clock.monotonic()))
    look = _Look(_look(stands), bench.busy_s(bench.server_cpus) if bench.busy_s else None)
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


def _look(stands: Sequence[Stand]) -> dict[int, ResourceReading]:
    """The resources of each that still stands, with what its neighbours have used."""
    found: dict[int, ResourceReading] = {}
    for place, stand in enumerate(stands):
        with stand.guarded():
            if stand.works:
                found[place] = stand.deployment.reading()
    all_s = sum(reading.cpu_s for reading in found.values())
    return {
        place: replace(reading, neighbours_cpu_s=all_s - reading.cpu_s) for place, reading in found.items()
    }
