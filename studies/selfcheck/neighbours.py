"""Servers next to those under load: idle ones change no ratio, restless ones are measured apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.analysis.intervals import paired_ratio
from harness.model import ClosedLoad, TrialRecord
from studies.selfcheck.oracle_trials import OracleEquipment, OracleServer, matrix_of, scenario
from studies.selfcheck.result import Line, OracleOutcome

BLOCKS, IDLE, PRECISION = 6, 6, 0.10
"""Half of the interval may be as wide as that: a wider one holds everything."""
RESTLESS_SHARE, RESTLESS_BLOCKS = 0.05, 2
LOAD = scenario("closed", ClosedLoad(clients=8), warmup_s=0.3, measure_s=2.5)


def _computing(name: str, iterations: int) -> OracleServer:
    return OracleServer(name=name, module="cpu_server", arguments=("--iterations", f"{iterations}"))


BASE, SLOWER = _computing("base", 400), _computing("slower", 600)
OTHERS = tuple(_computing(f"idle-{number}", 400) for number in range(1, IDLE + 1))
RESTLESS = OracleServer(
    name="restless", module="restless_server", arguments=("--share", f"{RESTLESS_SHARE:g}")
)


def check(equipment: OracleEquipment) -> OracleOutcome:
    restless = _restless(equipment)
    return OracleOutcome(lines=(_idle(equipment), restless) if equipment.full else (restless,))


def _idle(equipment: OracleEquipment) -> Line:
    """One server over another, in the company of six more and by themselves, block after block."""
    ratios: dict[bool, dict[int, float]] = {True: {}, False: {}}
    for block in range(1, BLOCKS + 1):
        for company in (True, False) if block % 2 else (False, True):
            servers = (BASE, SLOWER, *(OTHERS if company else ()))
            per_s = _per_s(equipment.run(matrix_of("company", servers, LOAD, blocks=1, seed=block), servers))
            if BASE.variant.id in per_s and SLOWER.variant.id in per_s:
                ratios[company][block] = per_s[SLOWER.variant.id] / per_s[BASE.variant.id]
    return _company(ratios[True], ratios[False])


def _company(among: Mapping[int, float], alone: Mapping[int, float]) -> Line:
    """The ratio of each block, among idle neighbours and without them."""
    pair = paired_ratio(among, alone)
    measured, met = "not known", False
    if pair is not None and pair.ratio.lo is not None and pair.ratio.hi is not None:
        lo, hi = pair.ratio.lo, pair.ratio.hi
        measured = f"{pair.ratio.center:.3f} ({lo:.3f}-{hi:.3f})"
        met = lo <= 1 <= hi <= lo * (1 + PRECISION) ** 2
    return Line(
        oracle="neighbours",
        quantity=f"a ratio among {IDLE} idle neighbours, over the same without them",
        theory="1",
        measured=measured,
        gate=f"1 lies inside, to {PRECISION:.0%} or better",
        met=met,
    )


def _per_s(records: Sequence[TrialRecord]) -> Mapping[str, float]:
    return {record.variant_id: record.metrics.throughput_per_s for record in records if record.metrics}


def _restless(equipment: OracleEquipment) -> Line:
    servers = (BASE, RESTLESS)
    records = equipment.run(matrix_of("restless", servers, LOAD, blocks=RESTLESS_BLOCKS, seed=1), servers)
    apart = [record for record in records if record.rounds is None]
    kept_apart = sum(record.variant_id == RESTLESS.variant.id for record in apart)
    return Line(
        oracle="neighbours",
        quantity=f"a neighbour that uses {RESTLESS_SHARE:.0%} of a core without load",
        theory="measured apart, and it alone",
        measured=f"it in {kept_apart} of {RESTLESS_BLOCKS} blocks, others {len(apart) - kept_apart} times",
        gate="in every block, and no other",
        met=kept_apart == len(apart) == RESTLESS_BLOCKS,
    )
