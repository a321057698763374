"""What a run needs of this machine: whether it is there, why it matters, and the command that mends it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.adapters.assets import base_image_remedy, engine_remedy
from harness.adapters.docker_build import base_image
from harness.adapters.docker_client import connect
from harness.adapters.host import cpu_split
from harness.errors import EnvironmentProblem

GIB = 1024**3
IMAGES = Path("/var/lib/docker")
"""Where an engine of this machine keeps its images, unless it was told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that a run needs, or is the better for."""

    name: str
    ok: bool
    detail: str
    why: str
    fix: str
    required: bool = True
    """False where a run goes on without it, and its results say less."""


def checks(results: Path) -> tuple[Check, ...]:
    """Every check, in the order in which a newcomer should fix what is missing."""
    engine, base = _docker()
    return (engine, base, *_disks(results), _cpus(), _smaps())


def _docker() -> tuple[Check, Check]:
    why = "without containers the harness measures local processes, which is not what you deploy"
    base_why = "every variant is built from it"
    base_fix = base_image_remedy()
    try:
        client = connect()
    except EnvironmentProblem as error:
        return (
            Check(name="Docker engine", ok=False, detail=str(error), why=why, fix=engine_remedy()),
            Check(name="base image", ok=False, detail="no engine to ask", why=base_why, fix=base_fix),
        )
    version = str(client.version()["Version"])
    engine = Check(name="Docker engine", ok=True, detail=version, why=why, fix="")
    try:
        reference, _ = base_image(client, None)
    except EnvironmentProblem as error:
        return engine, Check(name="base image", ok=False, detail=str(error), why=base_why, fix=base_fix)
    return engine, Check(name="base image", ok=True, detail=reference, why=base_why, fix="")


def _cpus() -> Check:
    server, generator = cpu_split()
    return Check(
        name="separate CPUs",
        required=False,
        ok=not set(server) & set(generator),
        detail=f"server on {_listed(server)}, load generator on {_listed(generator)}",
        why="a generator on the server's core takes the time it measures",
        fix="run on a machine with at least two CPUs (and allow this shell to use them: taskset -p $$)",
    )


def _disks(results: Path) -> Iterator[Check]:
    yield _disk(
        "disk for results",
        results,
        1 * GIB,
        why="a long run's raw arrays take up to 1 GiB",
        fix="delete old directories in results/, or choose another place with --results",
    )
    if IMAGES.exists():
        yield _disk(
            "disk for images",
            IMAGES,
            3 * GIB,
            why="the images take about 2 GiB, and more while they are built",
            fix="remove images you no longer need: docker image ls, docker image rm IMAGE",
        )


def _disk(name: str, place: Path, needed_bytes: int, *, why: str, fix: str) -> Check:
    existing = next(p for p in (place.absolute(), *place.absolute().parents) if p.exists())
    free = shutil.disk_usage(existing).free
    return Check(
        name=name,
        ok=free >= needed_bytes,
        detail=f"{free / GIB:.1f} GiB free at {existing}, {needed_bytes / GIB:g} GiB needed",
        why=why,
        fix=fix,
    )


def _smaps() -> Check:
    return Check(
        name="memory maps",
        required=False,
        ok=os.geteuid() == 0,
        detail="readable" if os.geteuid() == 0 else "other users' /proc/PID/smaps_rollup cannot be read",
        why="without them PSS and USS are missing; working set and CPU are measured all the same",
        fix="run as root, for example with sudo -E",
    )


def _listed(cpus: tuple[int, ...]) -> str:
    return "CPU " + ", ".join(map(str, cpus))
