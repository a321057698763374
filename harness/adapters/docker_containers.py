"""How containers of a run are created, in the engine's terms: command, user, limits, hardening. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from docker.types import LogConfig

from harness.deployment import DeploymentSpec, ProcessSpec
from harness.planning.commands import CONTAINER_TLS
from harness.recipes.placeholders import filled

PIDS = 32_768
"""Threads count too: 385 workers of 40 are a plan for 192 CPUs."""
HARDENED: Mapping[str, Any] = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "pids_limit": PIDS,
    # An image's own check would run next to what is measured.
    "healthcheck": {"test": ["NONE"]},
}
"""The same for every container but a service's: what one variant may do, all may."""
TMP: Mapping[str, str] = {"/tmp": "rw,nosuid,nodev,noexec,size=256m,mode=1777"}
"""Bounds what a leak takes of the machine's memory; what is not written takes none. Uploads lie there."""
WRITABLE = "rw,nosuid,nodev,noexec,size=512m,mode=1777"
"""A directory that a team's app writes to; its user is added."""


def log_config(drivers: Collection[str]) -> LogConfig:
    """For what a container says, bounded: of the drivers that an engine has, and Podman has no "local"."""
    if "local" in drivers:
        return LogConfig(type="local", config={"max-size": "16m", "max-file": "2"})
    return LogConfig(type="k8s-file", config={"max-size": "32m"})


def as_entry_point(argv: Sequence[str]) -> dict[str, Any]:
    """A command that an image's own entry point cannot change; none: what the image itself starts."""
    return {"entrypoint": list(argv[:1]), "command": list(argv[1:])} if argv else {}


def writable(directories: Sequence[str], owner: str = "") -> dict[str, Any]:
    """/tmp and these directories as temporary file systems. `owner` is in mount options."""
    return {"tmpfs": {**TMP, **dict.fromkeys(directories, f"{WRITABLE}{owner}")}}


def server_options(
    spec: DeploymentSpec,
    process: ProcessSpec,
    ports: Sequence[int],
    user: str,
    *,
    part: bool,
    layer: bool,
    owner: str,
) -> dict[str, Any]:
    """Options of a container that is measured, less its place in the network.

    A `part` such as nginx writes nowhere but to /tmp and has no capability. `owner`: of what is writable, in
    mount options.
    """
    memory = f"{spec.memory_mib}m" if spec.memory_mib else None
    return {
        **HARDENED,
        **writable(() if part else spec.writable, owner),
        **as_entry_point([filled(part, ports=ports, tls=CONTAINER_TLS) for part in process.argv]),
        "user": user,
        "cap_add": None if part else list(spec.capabilities),
        "environment": {
            key: filled(value, ports=ports, tls=CONTAINER_TLS)
            for key, value in with_harness(process.env, layer=layer).items()
        },
        "nano_cpus": round(spec.cpu_quota * 1e9) if spec.cpu_quota else None,
        "mem_limit": memory,
        "memswap_limit": memory,
    }


def with_harness(env: Mapping[str, str], *, layer: bool) -> dict[str, str]:
    """An environment that does not hide the wrapper and the server of a recipe's `layer`."""
    if not layer:
        return dict(env)
    added = {"PYTHONPATH": "{value}:/opt/harness", "PATH": "/opt/harness/bin:{value}"}
    return {name: added.get(name, "{value}").replace("{value}", value) for name, value in env.items()}


def companion_options(argv: Sequence[str]) -> dict[str, Any]:
    """Options of a container whose stdin and stdout we speak with, such as a load agent's."""
    return {
        **HARDENED,
        **writable(()),
        **as_entry_point(argv),
        "stdin_open": True,
        # What it prints is read over the attach stream; a copy on disk would cost the engine CPU.
        "log_config": LogConfig(type="none"),
    }


def set_up_options(
    command: Sequence[str], env: Mapping[str, str], user: str, directories: Sequence[str], owner: str
) -> dict[str, Any]:
    """Options of a container that sets up a service with the app's own tools."""
    return {
        **HARDENED,
        **writable(directories, owner),
        **as_entry_point(command),
        "user": user,
        "environment": dict(env),
    }
