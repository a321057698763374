"""Memory held by several workers, some of it shared: what a sum of RSS says, and what PSS says."""

from __future__ import annotations

from studies.selfcheck.oracle_trials import OracleEquipment, OracleServer
from studies.selfcheck.result import Line, OracleOutcome

WORKERS, SHARED_MIB, PRIVATE_MIB = 4, 100, 50
ALLOWED = 0.02
MIB = 2**20


def check(equipment: OracleEquipment) -> OracleOutcome:
    """Over the same server with nothing held, so that the interpreter's own memory cancels out."""
    base, held = equipment.memory(_server(0, 0)), equipment.memory(_server(SHARED_MIB, PRIVATE_MIB))
    private = WORKERS * PRIVATE_MIB
    return OracleOutcome(
        lines=(
            _line("PSS", SHARED_MIB + private, held.pss_bytes - base.pss_bytes),
            _line("USS", private, held.uss_bytes - base.uss_bytes),
            _line("sum of RSS", WORKERS * (SHARED_MIB + PRIVATE_MIB), held.rss_bytes - base.rss_bytes),
        )
    )


def _server(shared_mib: int, private_mib: int) -> OracleServer:
    sizes = ("--shared-mib", f"{shared_mib}", "--private-mib", f"{private_mib}")
    return OracleServer(
        name="memory",
        module="memory_server",
        arguments=(*sizes, "--workers", f"{WORKERS}"),
        workers=WORKERS,
    )


def _line(name: str, expected_mib: int, measured_bytes: int) -> Line:
    return Line(
        oracle="memory",
        quantity=f"{name} over base: {SHARED_MIB} MiB shared, {PRIVATE_MIB} MiB private, {WORKERS} workers",
        theory=f"{expected_mib} MiB",
        measured=f"{measured_bytes / MIB:.1f} MiB",
        gate=f"within {ALLOWED:.0%}",
        met=abs(measured_bytes / MIB - expected_mib) <= ALLOWED * expected_mib,
    )
