"""A stall of known length: what the open loop and the closed loop say of it."""

from __future__ import annotations

from harness.model import ClosedLoad
from studies.selfcheck.oracle_trials import OracleEquipment, OracleServer, metrics_of, open_load, scenario
from studies.selfcheck.result import Line, OracleOutcome
from studies.selfcheck.theory import stall_latency_quantile_s

STALL_S, WINDOW_S, AFTER_S = 1.0, 6.0, 2.0
RATE_PER_S = 100.0
ALLOWED = 0.05
"""Of the stall's length."""
SLO_MS = STALL_S * 1000
"""The objective is the stall: the generator may be late by as much as the gate allows."""


def check(equipment: OracleEquipment) -> OracleOutcome:
    stall = ("--after-s", f"{AFTER_S}", "--stall-s", f"{STALL_S}")
    server = OracleServer(name="stall", module="stall_server", arguments=stall)
    # Without a service time a closed loop of one client would send thousands a second.
    paced = OracleServer(
        name="stall-paced", module="stall_server", arguments=(*stall, "--service-s", f"{1 / RATE_PER_S}")
    )
    open_loop = scenario("stall-open", open_load(RATE_PER_S, "constant"), measure_s=WINDOW_S, slo_ms=SLO_MS)
    closed_loop = scenario("stall-closed", ClosedLoad(clients=1), measure_s=WINDOW_S, slo_ms=SLO_MS)
    opened = metrics_of(equipment.valid_trial(server, open_loop))
    closed = metrics_of(equipment.valid_trial(paced, closed_loop))
    return OracleOutcome(
        lines=(
            _line("p95", 0.95, opened.latency_p95_s, closed.latency_p95_s),
            _line("p99", 0.99, opened.latency_p99_s, closed.latency_p99_s),
        )
    )


def _line(name: str, q: float, opened_s: float | None, closed_s: float | None) -> Line:
    theory_s = stall_latency_quantile_s(q, stall_s=STALL_S, window_s=WINDOW_S)
    return Line(
        oracle="stall",
        quantity=f"{name} of {WINDOW_S:g} s with one stall of {STALL_S:g} s",
        theory=f"{theory_s * 1000:.0f} ms",
        measured=f"{_ms(opened_s)}; closed loop: {_ms(closed_s)}",
        gate=f"within {ALLOWED:.0%} of the stall",
        met=opened_s is not None and abs(opened_s - theory_s) <= ALLOWED * STALL_S,
    )


def _ms(seconds: float | None) -> str:
    return "nothing measured" if seconds is None else f"{seconds * 1000:.0f} ms"
