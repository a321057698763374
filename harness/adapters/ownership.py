"""Whose containers, networks and processes are these? Labels that a run leaves, and who may remove what.

A process is named by its pid and start time, because pids are used again; a machine by its host name
and boot id, because a remote engine serves several. Only what a dead owner of this machine left behind
is ever removed on another run's behalf.
"""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import EnvironmentProblem

if TYPE_CHECKING:
    from docker import DockerClient

KEYS = RUN, HOST, BOOT, PID, START = tuple(
    f"harness.{name}" for name in ("run", "host", "boot", "pid", "start")
)

GONE, CONFLICT = 404, 409
"""The engine's status for "no such thing" and for "removal is already in progress"."""
REMOVAL_S = 30
"""How long the engine may take for a removal that someone else asked for."""


def start_time(pid: int) -> str | None:
    """When a live process began, as an opaque text to compare; None when there is no such process.

    On Linux field 22 of /proc/PID/stat (clock ticks since boot), elsewhere what ps says.
    """
    if not Path("/proc/self/stat").exists():
        ps = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, timeout=10, check=False
        )
        return ps.stdout.strip() or None
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name (field 2) may hold spaces and brackets, so count from behind it.
    state, *rest = stat.rpartition(")")[2].split()
    return None if state in "ZX" else rest[18]


def boot_id() -> str:
    """The kernel's id of this boot; "unknown" where there is none (then pid and start time must do)."""
    file = Path("/proc/sys/kernel/random/boot_id")
    return file.read_text().strip() if file.exists() else "unknown"


def host() -> str:
    """Where pids mean what they mean here: the host's name and, on Linux, the pid namespace.

    A harness in a container may share name and boot with one outside it whose processes it cannot see.
    """
    namespace = Path("/proc/self/ns/pid")
    return f"{platform.node()} {namespace.readlink()}" if namespace.is_symlink() else platform.node()


def labels(run_id: str) -> dict[str, str]:
    """What everything made by this process for a run is labelled with."""
    pid = os.getpid()
    return {
        RUN: run_id,
        HOST: host(),
        BOOT: boot_id(),
        PID: str(pid),
        START: start_time(pid) or "",
    }


def owner_is_alive(found: Mapping[str, str]) -> bool:
    """Whether the process that left these labels on this machine still runs."""
    pid = found.get(PID, "")
    return found.get(BOOT) == boot_id() and pid.isdecimal() and start_time(int(pid)) == found.get(START)


def is_leftover(found: Mapping[str, str]) -> bool:
    """Whether labels name a dead owner on this machine; incomplete or foreign labels never do."""
    complete = all(found.get(key) for key in KEYS)
    return complete and found[HOST] == host() and not owner_is_alive(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """A container or a network that some run labelled as its own."""

    kind: Literal["container", "network"]
    id: str
    name: str
    labels: Mapping[str, str]


def leftovers(client: DockerClient) -> list[Remains]:
    """What dead owners of this machine left behind. Raises the docker SDK's errors."""
    return [remains for remains in _labelled(client, RUN) if is_leftover(remains.labels)]


def remove_leftovers(client: DockerClient) -> list[str]:
    """Remove what dead owners of this machine left behind; the names of what was removed.

    Raises EnvironmentProblem when the engine refuses, EngineUnavailable when it has gone.
    """
    from harness.adapters.docker_client import engine_errors

    with engine_errors(client, "removing what dead runs left behind", refusal=EnvironmentProblem):
        return _remove(client, leftovers(client))


def remove_owned(client: DockerClient, owner: Mapping[str, str]) -> list[str]:
    """Remove every container and network with exactly these labels of a run and its owner, never an image.

    Another process that resumed the run has other labels. The names of what was removed; raises the
    docker SDK's errors.
    """
    return _remove(client, _labelled(client, *(f"{key}={owner[key]}" for key in KEYS)))


def _labelled(client: DockerClient, *wanted: str) -> list[Remains]:
    """Containers first: a network can only be removed once they have left it."""
    filters = {"label": list(wanted)}
    return [
        *(
            Remains(kind="container", id=c["Id"], name=_name(c), labels=c["Labels"])
            for c in client.api.containers(all=True, filters=filters)
        ),
        *(
            Remains(kind="network", id=n["Id"], name=n["Name"], labels=n["Labels"])
            for n in client.api.networks(filters=filters)
        ),
    ]


def _name(container: Mapping[str, Any]) -> str:
    """One that is just being removed may have lost its name already; then its id."""
    names = container["Names"] or [container["Id"]]
    return str(names[0]).lstrip("/")


def _remove(client: DockerClient, found: Sequence[Remains]) -> list[str]:
    for remains in found:
        with already_gone_is_fine():
            if remains.kind == "container":
                _remove_container(client, remains.id)
            else:
                client.api.remove_network(remains.id)
    return [remains.name for remains in found]


def _remove_container(client: DockerClient, container: str) -> None:
    """Returns when it is gone, whoever removed it: its network cannot be removed before."""
    from docker.errors import APIError

    try:
        client.api.remove_container(container, v=True, force=True)
    except APIError as error:
        if error.status_code != CONFLICT:
            raise
        client.api.wait(container, timeout=REMOVAL_S, condition="removed")


@contextmanager
def already_gone_is_fine() -> Iterator[None]:
    """Pass over what someone else removed, or is removing, at the same moment."""
    from docker.errors import APIError  # a fifth of a second that the process engine need not pay

    try:
        yield
    except APIError as error:
        if error.status_code not in (GONE, CONFLICT):
            raise
