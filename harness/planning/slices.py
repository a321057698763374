"""Which trials share their time, in what slices, and whose turn it is when. Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from harness.model import OWN_COMMAND, CapacityLoad, Matrix, OpenLoad, Scenario, Trial
from harness.planning.locust_files import is_locust_file

SLICE_S, MEDIANS = 0.1, 20
"""A slice of a closed loop: at least so long, and at least so many median latencies."""
OPEN_SLICE_S, ARRIVALS = 1.0, 200
"""A slice at a rate: at least so long, and at least so many arrivals."""
RAMP_SHARE = 0.1
"""Of a slice, left out at its beginning: until all clients are under way."""
GAP_S = 0.01
"""Between two slices, at least: for the last answers, and for a look at every deployment."""
MIN_TURNS = 2
MEMORY_SHARE = 0.7
"""Of the machine's memory, for deployments that stand side by side."""
WORKER_MIB, GENERATOR_MIB = 128, 128
"""Assumed of a process without a limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """How the time of one trial is cut up."""

    slice_s: float
    gap_s: float
    """After each slice, until the last answer has come and all deployments have been looked at."""

    @property
    def ramp_s(self) -> float:
        return RAMP_SHARE * self.slice_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One slice of one trial, by its place among the trials. Seconds from the start of the first round."""

    place: int
    round: int
    begin_s: float
    end_s: float


def why_not_sliced(scenario: Scenario, matrix: Matrix) -> str | None:
    """Why the variants of a scenario are measured one after the other; None where they share their time."""
    if not matrix.slices:
        return "design.slices is false"
    if isinstance(scenario.load, CapacityLoad):
        return "a capacity search offers each variant rates of its own"
    if is_locust_file(scenario):
        return "the users of a Locust file do not pause"
    if any(variant.cpu_quota is not None for variant in matrix.variants):
        # A server that was idle has all of its quota left: for the length of a slice it would hardly feel it.
        return "a CPU quota is handed out in periods of 0.1 s, and slices would be as short"
    if any(variant.network == "host" and variant.recipe == OWN_COMMAND for variant in matrix.variants):
        return "on the host's network they would listen on the same port"
    memory_mib = matrix.host_memory_mib
    if memory_mib is not None and side_by_side_mib(matrix) > MEMORY_SHARE * memory_mib:
        return f"side by side they may need {side_by_side_mib(matrix)} MiB, and there are {memory_mib}"
    return None


def side_by_side_mib(matrix: Matrix) -> int:
    """Memory that all variants, the twin and their generators may need at a time."""
    generators = len(matrix.generator_cpus)
    return sum(
        (variant.memory_mib or variant.workers * WORKER_MIB) + generators * GENERATOR_MIB
        for variant in (*matrix.variants, matrix.baseline)
    )


def groups(block: Sequence[Trial], matrix: Matrix) -> tuple[tuple[Trial, ...], ...]:
    """A block's trials as they are measured: those of one scenario side by side, or each on its own.

    In the order in which the block first names them, but those side by side before all others: between two of
    them their servers stand, and must not disturb.
    """
    found: dict[str, list[Trial]] = {}
    for trial in block:
        scenario = trial.cell.scenario
        alone = why_not_sliced(scenario, matrix) is not None
        found.setdefault(trial.id if alone else scenario.name, []).append(trial)
    return tuple(sorted(map(tuple, found.values()), key=lambda group: len(group) == 1))


def cut_of(scenario: Scenario, *, median_s: float, longest_s: float, look_s: float) -> Cut:
    """For a trial with this median latency and this longest wait.

    `look_s` is what it takes to read the resources of all deployments.
    """
    if isinstance(scenario.load, OpenLoad):
        wanted_s = max(OPEN_SLICE_S, ARRIVALS / scenario.load.rate_per_s)
    else:
        wanted_s = max(SLICE_S, MEDIANS * median_s)
    return Cut(slice_s=min(wanted_s, scenario.measure_s / MIN_TURNS), gap_s=GAP_S + longest_s + 2 * look_s)


def spans_of(order: Sequence[Turn], place: int) -> tuple[tuple[float, float], ...]:
    """Begin and end of each slice of one trial."""
    return tuple((turn.begin_s, turn.end_s) for turn in order if turn.place == place)


def turns(cuts: Sequence[Cut], *, measure_s: float, seed: int) -> tuple[Turn, ...]:
    """For each trial slices of its own length, `measure_s` in all, in the order of their begin.

    The trials with the shortest slices have a turn in every round, the others in fewer, evenly spread over
    all rounds. The order within a round is drawn anew each time.
    """
    counts = [max(MIN_TURNS, ceil(measure_s / cut.slice_s - 1e-9)) for cut in cuts]
    rounds = max(counts)
    present = [{int((turn + 0.5) * rounds / count) for turn in range(count)} for count in counts]
    rng, begin_s = random.Random(seed), 0.0
    found: list[Turn] = []
    for number in range(rounds):
        places = [place for place, in_rounds in enumerate(present) if number in in_rounds]
        for place in rng.sample(places, len(places)):
            end_s = begin_s + cuts[place].slice_s
            found.append(Turn(place=place, round=number, begin_s=begin_s, end_s=end_s))
            begin_s = end_s + cuts[place].gap_s
    return tuple(found)
