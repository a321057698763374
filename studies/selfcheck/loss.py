"""A server that leaves an exact number of requests unanswered."""

from __future__ import annotations

from harness.errors import TrialError
from harness.model import Validity
from studies.selfcheck.oracle_trials import OracleEquipment, OracleServer, open_load, scenario
from studies.selfcheck.result import Line, OracleOutcome

DROPS, EVERY = 7, 31
RATE_PER_S, WINDOW_S = 100.0, 3.0


def check(equipment: OracleEquipment) -> OracleOutcome:
    arguments = ("--drops", f"{DROPS}", "--every", f"{EVERY}")
    server = OracleServer(name="lossy", module="lossy_server", arguments=arguments)
    outcome = equipment.trial(server, scenario("loss", open_load(RATE_PER_S, "constant"), measure_s=WINDOW_S))
    if outcome.load is None:
        raise TrialError(f"{outcome.record.trial_id}: {'; '.join(outcome.record.reasons)}")
    load, record = outcome.load, outcome.record
    ended = load.ok + load.failed + load.timed_out + load.dropped + load.undrained
    found = f"{load.failed} failed, {load.ok} ok of {load.scheduled}; trial {record.validity}"
    return OracleOutcome(
        lines=(
            Line(
                oracle="loss",
                quantity=f"requests without an answer, of {load.scheduled}",
                theory=f"{DROPS}",
                measured=found,
                gate="exactly, and the trial INVALID",
                met=load.failed == DROPS
                and load.scheduled == ended == load.ok + DROPS
                and record.validity is Validity.INVALID,
            ),
        )
    )
