"""Known faults injected into trials: does the harness let their figures pass as VALID?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from harness.execution.trial import TrialOutcome
from harness.model import ClosedLoad, TrialRecord, Validity
from harness.selfcheck.result import Injected, Line, Outcome, counted
from harness.selfcheck.rig import Rig, Server, open_load, scenario

ITERATIONS = 2000
"""About 1 ms of computing: the server, not the generator, is busy."""
HOG_S = 30.0
"""The hog is ended with its trial; should that fail, it ends by itself."""
QUICK_TRIALS, FULL_TRIALS = 1, 5

COMPUTING = ("--iterations", f"{ITERATIONS}")
SERVER = Server(name="computing", module="cpu_server", arguments=COMPUTING)
LOGGING = Server(name="computing", module="cpu_server", arguments=(*COMPUTING, "--access-log"))
DYING = Server(
    name="computing",
    module="cpu_server",
    arguments=(*COMPUTING, "--workers", "2", "--kill-last-at", "50"),
    workers=2,
)
INSTANT = Server(name="instant", module="lossy_server", arguments=("--drops", "0", "--every", "1"))
CLOSED = scenario("closed", ClosedLoad(clients=16), warmup_s=0.3, measure_s=2.5)
OPEN = scenario("open", open_load(1000.0), warmup_s=0.3, measure_s=2.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    name: str
    wanted: str
    """The rule that stands for this cause; empty for the control, which must pass."""
    measure: Callable[[Rig], TrialOutcome]


def check(rig: Rig) -> Outcome:
    trials = FULL_TRIALS if rig.full else QUICK_TRIALS
    rows = tuple(_inject(rig, fault, trials) for fault in FAULTS)
    return Outcome(lines=tuple(map(_line, rows)), injected=rows)


def _hog_beside_generator(rig: Rig) -> TrialOutcome:
    with rig.hog(rig.generator_cpus, seconds=HOG_S):
        return rig.trial(INSTANT, OPEN)


def _hog_beside_server(rig: Rig) -> TrialOutcome:
    with rig.hog(rig.bench.server_cpus, seconds=HOG_S):
        return rig.trial(SERVER, CLOSED)


FAULTS = (
    Fault(name="none, closed loop", wanted="", measure=lambda rig: rig.valid_trial(SERVER, CLOSED)),
    Fault(name="none, open loop", wanted="", measure=lambda rig: rig.valid_trial(INSTANT, OPEN)),
    Fault(name="CPU hog on the generator's core, open loop", wanted="I3", measure=_hog_beside_generator),
    Fault(name="CPU hog on the server's core, closed loop", wanted="I5", measure=_hog_beside_server),
    Fault(name="a worker killed in mid-run", wanted="I7", measure=lambda rig: rig.trial(DYING, CLOSED)),
    Fault(name="access log on one side", wanted="I9", measure=lambda rig: rig.trial(LOGGING, CLOSED)),
)


def _inject(rig: Rig, fault: Fault, trials: int) -> Injected:
    records = [fault.measure(rig).record for _ in range(trials)]
    rules = Counter(rule for record in records for rule in _rules(record.reasons))
    return Injected(
        fault=fault.name,
        wanted=fault.wanted,
        trials=trials,
        words=Counter(record.validity for record in records),
        rules=rules,
        p95_ms=_p95_ms(records),
    )


def _rules(reasons: Sequence[str]) -> set[str]:
    """The rules that these reasons name at their beginning; a failure may have none."""
    return {found[1] for reason in reasons if (found := re.match(r"(I\d+):", reason))}


def _p95_ms(records: Sequence[TrialRecord]) -> str:
    values = [r.metrics.latency_p95_s for r in records if r.metrics and r.metrics.latency_p95_s is not None]
    return f"{median(values) * 1000:.1f}" if values else "-"


def _line(row: Injected) -> Line:
    """A fault must never pass as VALID, and the rule that stands for it must be among the reasons."""
    named = row.rules.get(row.wanted, 0)
    words = counted(Counter({str(word): n for word, n in row.words.items()}))
    return Line(
        oracle="sabotage",
        quantity=row.fault,
        theory=f"caught, {row.wanted} named" if row.wanted else f"{Validity.VALID}",
        measured=f"{words}; named {counted(Counter(row.rules))}; p95 {row.p95_ms} ms",
        gate=f"{row.trials} of {row.trials}",
        met=row.caught == named == row.trials if row.wanted else row.caught == 0,
    )
