"""The whole check: every oracle in turn, on local processes; only a CPU quota takes a container."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from time import monotonic

from harness import __version__
from harness.adapters import host
from harness.adapters.assets import assets
from harness.adapters.engines import open_engine
from harness.adapters.load_process import ProcessLoadGenerator
from harness.adapters.proc import busy_s
from harness.adapters.run_lock import run_lock
from harness.adapters.system_clock import SystemClock
from harness.errors import TrialError
from harness.execution.equipment import Equipment
from harness.set_up import GENERATOR
from studies.selfcheck import (
    known_capacity,
    leak,
    liar,
    loss,
    neighbours,
    power,
    queue,
    sabotage,
    stall,
    twins,
)
from studies.selfcheck.oracle_trials import OracleEquipment
from studies.selfcheck.result import Line, OracleOutcome, SelfCheck, unmeasured

ORACLES: Mapping[str, Callable[[OracleEquipment], OracleOutcome]] = {
    "stall": stall.check,
    "queue": queue.check,
    "capacity": known_capacity.check,
    "loss": loss.check,
    "liar": liar.check,
    "neighbours": neighbours.check,
    "memory": leak.check,
    "A/A": twins.check,
    "power and relabelling": power.check,
    "sabotage": sabotage.check,
}
NOT_YET: tuple[str, ...] = ()
READY_TIMEOUT_S = 30.0


def selfcheck(
    *, full: bool, wait: bool, say: Callable[[str], None], show: Callable[[Line], None]
) -> SelfCheck:
    """Run every oracle. `show` gets each line as soon as it is known, `say` what is going on."""
    started_at, started_s = datetime.now(UTC), monotonic()
    lines: list[Line] = []
    outcomes = []
    run_id = f"selfcheck-{started_at:%Y%m%d-%H%M%S}"
    with run_lock(run_id, wait=wait), open_equipment(run_id, full=full, say=say) as equipment:
        for name, check in ORACLES.items():
            say(f"{name} ...")
            outcome = _outcome(name, check, equipment)
            outcomes.append(outcome)
            lines += outcome.lines
            for line in outcome.lines:
                show(line)
    return SelfCheck(
        lines=tuple(lines),
        injected=tuple(row for outcome in outcomes for row in outcome.injected),
        not_yet=NOT_YET if full else (),
        facts=_facts(started_at, monotonic() - started_s, full=full),
        made_again=tuple(
            f"{spoilt.trial_id} was {spoilt.validity}: {'; '.join(spoilt.reasons)}"
            for spoilt in equipment.made_again
        ),
    )


def _outcome(
    name: str, check: Callable[[OracleEquipment], OracleOutcome], equipment: OracleEquipment
) -> OracleOutcome:
    """An oracle that cannot be measured has not met its gate, and the others go on."""
    try:
        return check(equipment)
    except TrialError as error:
        return OracleOutcome(lines=(unmeasured(name, error),))


@contextmanager
def open_equipment(run_id: str, *, full: bool, say: Callable[[str], None]) -> Iterator[OracleEquipment]:
    """Equipment on local processes, with this process kept off the servers' cores."""
    server_cpus, generator_cpus = host.cpu_split()
    with open_engine("process", assets(), run_id, say) as engine:
        image = engine.build(GENERATOR)
        equipment = Equipment(
            engine=engine,
            generators=ProcessLoadGenerator(engine, image=image, cpus=generator_cpus),
            clock=SystemClock(),
            images={},
            server_cpus=server_cpus,
            ready_timeout_s=READY_TIMEOUT_S,
            seed=0,
            busy_s=None if set(server_cpus) & set(generator_cpus) else busy_s,
        )
        with host.pinned_to(generator_cpus):
            yield OracleEquipment(equipment, image=image, generator_cpus=generator_cpus, full=full)


def _facts(started_at: datetime, took_s: float, *, full: bool) -> dict[str, str]:
    machine = host.facts(Path.cwd())
    names = ("cpu_model", "cpus_host", "memory_bytes", "kernel", "python", "governor", "load_average_1min")
    return {
        "command": "harness study selfcheck --full" if full else "harness study selfcheck",
        "date": f"{started_at:%Y-%m-%d %H:%M} UTC",
        "took": f"{took_s:.0f} s",
        "engine": "process, but docker for the CPU quota (servers and load generator on different cores)",
        "harness": __version__,
        **{name: str(machine[name]) for name in names},
        **{name: version(name) for name in ("locust", "geventhttpclient", "numpy", "scipy")},
    }
