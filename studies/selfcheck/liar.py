"""Servers that answer one request in so many with a wrong body of the right length."""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis.analyse import analyse
from harness.findings import ScenarioFinding
from harness.measurement.accounting import wrong_bodies
from harness.model import ClosedLoad
from studies.selfcheck.oracle_trials import OracleEquipment, OracleServer, matrix_of, scenario
from studies.selfcheck.result import Line, OracleOutcome

EVERY = (200, 5_000)
BLOCKS, BLOCKS_IN_BRIEF, CLIENTS = 4, 2, 8
LOAD = scenario("answers", ClosedLoad(clients=CLIENTS), measure_s=2.5)

HONEST = OracleServer(name="honest", module="cpu_server", arguments=("--iterations", "200"))
"""Slower than the liars."""


def check(equipment: OracleEquipment) -> OracleOutcome:
    """Beside an honest server, which every liar must lose to, whatever its speed."""
    liars = tuple(
        OracleServer(name=f"liar-{every}", module="liar_server", arguments=("--every", f"{every}"))
        for every in EVERY
    )
    blocks = BLOCKS if equipment.full else BLOCKS_IN_BRIEF
    matrix = matrix_of("liar", (HONEST, *liars), LOAD, blocks=blocks, seed=1)
    outcomes = equipment.outcomes(matrix, (HONEST, *liars))
    (finding,) = analyse([outcome.record for outcome in outcomes], matrix).findings
    lines = []
    for every, liar in zip(EVERY, liars, strict=True):
        loads = [o.load for o in outcomes if o.record.variant_id == liar.variant.id and o.load is not None]
        told = [wrong_bodies(load) for load in loads]
        lines.append(_line(every, told, [load.scheduled // every for load in loads], finding, liar))
    return OracleOutcome(lines=tuple(lines))


def _line(
    every: int, told: Sequence[int], true: Sequence[int], finding: ScenarioFinding, liar: OracleServer
) -> Line:
    ranked = liar.variant.id in finding.best_set or finding.best == liar.variant.id
    return Line(
        oracle="liar",
        quantity=f"wrong bodies, 1 in {every:,} answers, by block",
        theory=", ".join(map(str, true)),
        measured=f"{', '.join(map(str, told))}; {'ranked' if ranked else 'not ranked'}",
        gate="exactly, in every block, and never ranked",
        met=bool(told) and list(told) == list(true) and min(told) > 0 and not ranked,
    )
