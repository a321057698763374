"""Known faults injected into trials: do their figures pass as VALID, and is the cause named?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median

from harness.analysis.bottleneck import limit_of
from harness.errors import TrialError
from harness.execution.equipment import TrialOutcome
from harness.findings import Bottleneck
from harness.model import ClosedLoad, Scenario, TrialRecord, Validity, Variant
from studies.selfcheck import quota
from studies.selfcheck.oracle_trials import (
    OracleEquipment,
    OracleServer,
    open_load,
    scenario,
    slowed_generators,
)
from studies.selfcheck.result import Injected, Line, OracleOutcome, counted, unmeasured

ITERATIONS = 2000
"""About 1 ms of computing: the server, not the generator, is busy."""
HOG_S = 30.0
"""The hog is ended with its trial; should that fail, it ends by itself."""
QUICK_TRIALS, FULL_TRIALS = 1, 5

COMPUTING = ("--iterations", f"{ITERATIONS}")
SERVER = OracleServer(name="computing", module="cpu_server", arguments=COMPUTING)
LOGGING = OracleServer(name="computing", module="cpu_server", arguments=(*COMPUTING, "--access-log"))
DYING = OracleServer(
    name="computing",
    module="cpu_server",
    arguments=(*COMPUTING, "--workers", "2", "--kill-last-at", "50"),
    workers=2,
)
STALLING = OracleServer(
    name="stalling", module="stall_server", arguments=("--after-s", "1", "--stall-s", "0.6")
)
SKEWED = OracleServer(name="skewed", module="skewed_server", arguments=("--service-s", "0.005"), workers=2)
INSTANT = OracleServer(name="instant", module="lossy_server", arguments=("--drops", "0", "--every", "1"))
CLOSED = scenario("closed", ClosedLoad(clients=16), warmup_s=0.3, measure_s=2.5)
OPEN = scenario("open", open_load(1000.0), warmup_s=0.3, measure_s=2.5)
BRIEFLY_CLOSED = replace(CLOSED, measure_s=1.5)
BRIEFLY_OPEN = replace(OPEN, measure_s=1.5)
PACED = scenario("paced", open_load(100.0, "constant"), warmup_s=0.3, measure_s=2.0, slo_ms=1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sabotage:
    name: str
    wanted: str = ""
    """The rule that stands for this cause; empty where the trial must be VALID all the same."""
    limit: Bottleneck | None = None
    """What the server must be said to be limited by; None where a trial is not believed."""
    variant: Variant
    load: Scenario
    measure: Callable[[OracleEquipment], TrialOutcome]


def check(equipment: OracleEquipment) -> OracleOutcome:
    trials = FULL_TRIALS if equipment.full else QUICK_TRIALS
    lines, rows = [], []
    for fault in FAULTS:
        try:
            row = _inject(equipment, fault, trials)
        except TrialError as error:
            lines.append(unmeasured("sabotage", f"{fault.name}: {error}"))
            continue
        rows.append(row)
        lines.append(_line(row))
    return OracleOutcome(lines=tuple(lines), injected=tuple(rows))


def _hog_beside_generator(equipment: OracleEquipment) -> TrialOutcome:
    with equipment.hog(equipment.generator_cpus, seconds=HOG_S):
        return equipment.trial(INSTANT, OPEN)


def _hog_beside_server(equipment: OracleEquipment) -> TrialOutcome:
    with equipment.hog(equipment.equipment.server_cpus, seconds=HOG_S):
        return equipment.trial(SERVER, CLOSED)


def _slow_generator(equipment: OracleEquipment) -> TrialOutcome:
    with slowed_generators():
        return equipment.trial(INSTANT, BRIEFLY_OPEN)


FAULTS = (
    Sabotage(
        name="none, closed loop",
        limit=Bottleneck.SERVER_CPU,
        variant=SERVER.variant,
        load=CLOSED,
        measure=lambda equipment: equipment.valid_trial(SERVER, CLOSED),
    ),
    Sabotage(
        name="none, open loop",
        limit=Bottleneck.NONE,
        variant=INSTANT.variant,
        load=OPEN,
        measure=lambda equipment: equipment.valid_trial(INSTANT, OPEN),
    ),
    Sabotage(
        name="CPU hog on the generator's core, open loop",
        wanted="I3",
        variant=INSTANT.variant,
        load=OPEN,
        measure=_hog_beside_generator,
    ),
    Sabotage(
        name="generator stopped 30 of every 100 ms, open loop",
        wanted="I3",
        limit=Bottleneck.GENERATOR,
        variant=INSTANT.variant,
        load=BRIEFLY_OPEN,
        measure=_slow_generator,
    ),
    Sabotage(
        name="CPU hog on the server's core, closed loop",
        wanted="I5",
        variant=SERVER.variant,
        load=CLOSED,
        measure=_hog_beside_server,
    ),
    Sabotage(
        name="a worker killed in mid-run",
        wanted="I7",
        variant=DYING.variant,
        load=CLOSED,
        measure=lambda equipment: equipment.trial(DYING, CLOSED),
    ),
    Sabotage(
        name="access log on one side",
        wanted="I9",
        variant=LOGGING.variant,
        load=CLOSED,
        measure=lambda equipment: equipment.trial(LOGGING, CLOSED),
    ),
    Sabotage(
        name="server stalled for 0.6 s, open loop",
        limit=Bottleneck.EVENT_LOOP,
        variant=STALLING.variant,
        load=PACED,
        measure=lambda equipment: equipment.valid_trial(STALLING, PACED),
    ),
    Sabotage(
        name="one of two workers gets every connection",
        limit=Bottleneck.ACCEPT_SKEW,
        variant=SKEWED.variant,
        load=BRIEFLY_CLOSED,
        measure=lambda equipment: equipment.valid_trial(SKEWED, BRIEFLY_CLOSED),
    ),
    Sabotage(
        name="CPU quota of half a core, in a container",
        limit=Bottleneck.CPU_QUOTA,
        variant=quota.VARIANT,
        load=quota.LOAD,
        measure=quota.trial,
    ),
)


def _inject(equipment: OracleEquipment, fault: Sabotage, trials: int) -> Injected:
    made_before = len(equipment.made_again)
    records = [fault.measure(equipment).record for _ in range(trials)]
    rules = Counter(rule for record in records for rule in _rules(record.reasons))
    limits = Counter(str(_limit(record, fault, len(equipment.equipment.server_cpus))) for record in records)
    del limits[Bottleneck.UNKNOWN]
    return Injected(
        fault=fault.name,
        wanted=fault.wanted,
        trials=trials,
        words=Counter(record.validity for record in records),
        rules=rules,
        p95_ms=_p95_ms(records),
        wanted_limit=str(fault.limit or ""),
        limits=limits,
        made_again=len(equipment.made_again) - made_before,
    )


def _limit(record: TrialRecord, fault: Sabotage, server_cpus: int) -> Bottleneck:
    """A cell of one trial."""
    word = record.validity
    return limit_of([record], fault.variant, fault.load, word=word, server_cpus=server_cpus).bottleneck


def _rules(reasons: Sequence[str]) -> set[str]:
    """The rules that these reasons name at their beginning; a failure may have none."""
    return {found[1] for reason in reasons if (found := re.match(r"(I\d+):", reason))}


def _p95_ms(records: Sequence[TrialRecord]) -> str:
    values = [r.metrics.latency_p95_s for r in records if r.metrics and r.metrics.latency_p95_s is not None]
    return f"{median(values) * 1000:.1f}" if values else "-"


def _line(row: Injected) -> Line:
    """The rule and the bottleneck that stand for the cause must be named every time.

    Where a rule does, no trial may pass as VALID; where none does, none may fail.
    """
    words = counted(Counter({str(word): n for word, n in row.words.items()}))
    again = f"; {row.made_again} spoilt by the machine and made again" if row.made_again else ""
    told = f"named {counted(Counter(row.rules))}; limited by {counted(Counter(row.limits))}"
    expected = f"caught, {row.wanted} named" if row.wanted else f"{Validity.VALID}"
    by_rule = row.caught == row.rules.get(row.wanted, 0) == row.trials if row.wanted else row.caught == 0
    by_limit = not row.wanted_limit or row.limits.get(row.wanted_limit, 0) == row.trials
    return Line(
        oracle="sabotage",
        quantity=row.fault,
        theory=f"{expected}; {row.wanted_limit}" if row.wanted_limit else expected,
        measured=f"{words}; {told}; p95 {row.p95_ms} ms{again}",
        gate=f"{row.trials} of {row.trials}",
        met=by_rule and by_limit,
    )
