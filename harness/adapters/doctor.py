"""What a run needs of this machine: whether it is there, why it matters, and the command that mends it."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from harness.adapters.docker_build import base_image
from harness.adapters.docker_client import connect
from harness.adapters.host import cpu_split
from harness.errors import EnvironmentProblem

FREE_BYTES = 4 * 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing a run needs."""

    name: str
    ok: bool
    detail: str
    why: str
    mend: str


def checks(results: Path) -> tuple[Check, ...]:
    """Every check, in the order in which a newcomer should mend what is missing."""
    engine, base = _docker()
    return (engine, base, _cpus(), _disk(results), _smaps())


def _docker() -> tuple[Check, Check]:
    why = "without containers the harness measures local processes, which is not what you deploy"
    base_why = "every variant is built from it"
    base_mend = "scripts/setup-base-image.sh"
    try:
        client = connect()
    except EnvironmentProblem as error:
        return (
            Check(name="Docker engine", ok=False, detail=str(error), why=why, mend="scripts/setup-engine.sh"),
            Check(name="base image", ok=False, detail="no engine to ask", why=base_why, mend=base_mend),
        )
    version = str(client.version()["Version"])
    engine = Check(name="Docker engine", ok=True, detail=version, why=why, mend="")
    try:
        reference, _ = base_image(client, None)
    except EnvironmentProblem as error:
        return engine, Check(name="base image", ok=False, detail=str(error), why=base_why, mend=base_mend)
    return engine, Check(name="base image", ok=True, detail=reference, why=base_why, mend="")


def _cpus() -> Check:
    server, generator = cpu_split()
    return Check(
        name="separate CPUs",
        ok=not set(server) & set(generator),
        detail=f"server on {_listed(server)}, load generator on {_listed(generator)}",
        why="a generator on the server's core takes the time it measures",
        mend="run on a machine with at least two CPUs (and allow this shell to use them: taskset -p $$)",
    )


def _disk(results: Path) -> Check:
    existing = next(p for p in (results.absolute(), *results.absolute().parents) if p.exists())
    free = shutil.disk_usage(existing).free
    return Check(
        name="free disk",
        ok=free >= FREE_BYTES,
        detail=f"{free / 1024**3:.1f} GiB free at {existing}",
        why="images need about 2 GiB, a long run's raw arrays up to 1 GiB",
        mend="delete old directories in results/, or choose another place with --results",
    )


def _smaps() -> Check:
    return Check(
        name="memory maps",
        ok=os.geteuid() == 0,
        detail="readable" if os.geteuid() == 0 else "other users' /proc/PID/smaps_rollup cannot be read",
        why="without them PSS and USS are missing; working set and CPU are measured all the same",
        mend="run as root, for example with sudo -E",
    )


def _listed(cpus: tuple[int, ...]) -> str:
    return "CPU " + ", ".join(map(str, cpus))
