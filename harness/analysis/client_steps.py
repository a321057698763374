"""One workload under more and more clients: where its throughput stops growing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from harness.analysis.intervals import paired_ratio
from harness.analysis.metrics import THROUGHPUT
from harness.analysis.samples import Samples
from harness.findings import Summary
from harness.model import ClosedLoad, Matrix, Scenario

THREADS = 40
"""Tokens of anyio's default thread limiter, in which every worker runs its `def` endpoints."""
BLOCKING = "sync_wait"
"""The workload whose requests hold a thread all the time: its knee is foretold by the number of threads."""


def ladders(matrix: Matrix) -> dict[str, tuple[Scenario, ...]]:
    """The closed loads that differ in their clients only, fewest first, by locustfile; two at least."""
    found: dict[str, dict[int, Scenario]] = defaultdict(dict)
    for scenario in matrix.scenarios:
        if isinstance(scenario.load, ClosedLoad):
            found[scenario.locustfile][scenario.load.clients] = scenario
    return {
        name: tuple(rungs[clients] for clients in sorted(rungs))
        for name, rungs in found.items()
        if len(rungs) > 1
    }


def clients_of(scenario: Scenario) -> int:
    """Of a closed load."""
    assert isinstance(scenario.load, ClosedLoad)
    return scenario.load.clients


def knee(samples: Samples, variant_id: str, rungs: Sequence[Scenario]) -> Summary | None:
    """Clients at which the throughput stops growing; None where the first and the last rung share no block.

    n clients of a closed loop on service time s get n / s answers a second, until something is used up. So
    the plateau, taken from the last rung, is what (last / first) x clients of the first would get. Both
    are of the same block.
    """
    first, last = (samples.values(variant_id, rung.name, THROUGHPUT) for rung in (rungs[0], rungs[-1]))
    grown = paired_ratio(last, first)
    if grown is None:
        return None
    ratio, fewest = grown.ratio, clients_of(rungs[0])
    return Summary(
        center=ratio.center * fewest,
        lo=None if ratio.lo is None else ratio.lo * fewest,
        hi=None if ratio.hi is None else ratio.hi * fewest,
        n=ratio.n,
        warnings=ratio.warnings,
    )
