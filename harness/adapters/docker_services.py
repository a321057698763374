"""Services of a target, such as its database: containers on the run's own network, ready before use."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from docker import DockerClient
from docker.errors import APIError
from docker.models.containers import Container

from harness.adapters.docker_client import engine_errors
from harness.adapters.docker_containers import PIDS
from harness.adapters.docker_recipes import RecipeImages
from harness.adapters.ownership import already_gone_is_fine
from harness.errors import ServiceFailed
from harness.target import Service

READY_TIMEOUT_S = 60.0
SETUP_TIMEOUT_S = 600
STOP_TIMEOUT_S = 5
POLL_S = 0.1
LOG_LINES = 20
LISTENING = "0A"
LOOPBACK = {"0100007F", "0" * 24 + "01000000"}
TMPFS = "rw,nosuid,nodev,size=1g,mode=1777"

# What images of databases need to give their files to their own user and to become it.
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID")
OPTIONS: Mapping[str, Any] = {
    "cap_drop": ["ALL"],
    "cap_add": list(CAPABILITIES),
    "security_opt": ["no-new-privileges:true"],
    "pids_limit": PIDS,
    "healthcheck": {"test": ["NONE"]},
}

Create = Callable[..., Container]
"""Makes a container of the run: role, image, cpus, options."""


class Services:
    """Starts and removes the services of one run."""

    def __init__(self, client: DockerClient, create: Create, images: RecipeImages) -> None:
        self._client, self._create, self._images = client, create, images

    @contextmanager
    def running(
        self, services: Sequence[Service], *, network: str, cpus: tuple[int, ...]
    ) -> Iterator[dict[str, str]]:
        """All of them, started in order and ready; their addresses by name. Removed on the way out.

        Raises ServiceFailed with the service's last words when one cannot start or does not get ready.
        """
        with ExitStack() as stack:
            addresses: dict[str, str] = {}
            for service in services:
                container = stack.enter_context(self._started(service, network, cpus))
                self._wait_ready(service, container)
                addresses[service.name] = _address(container, network)
            yield addresses

    def set_up(self, services: Sequence[Service], create: Callable[[Sequence[str]], Container]) -> None:
        """Run their set-up commands in order, each in a container that `create` makes of the app's image.

        Raises ServiceFailed with the output of one that fails.
        """
        for service in services:
            for command in service.setup:
                with engine_errors(self._client, f"setting up {service.name}", refusal=ServiceFailed):
                    code, said = _ran(create(command))
                if code != 0:
                    told = f"What it said:\n{said}" if said.strip() else "It said nothing."
                    raise ServiceFailed(
                        f"target.services: {service.name}.setup: `{' '.join(command)}` ended with exit code "
                        f"{code}.\nFix: correct the command. {told}"
                    )

    @contextmanager
    def _started(self, service: Service, network: str, cpus: tuple[int, ...]) -> Iterator[Container]:
        where = f"starting the service {service.name}"
        with engine_errors(self._client, where, refusal=ServiceFailed):
            image = self._images.of_service(service.image)
            owner = self._owner(service, image)
            container = self._create(
                "service",
                image,
                cpus,
                command=list(service.command) or None,
                environment=dict(service.env),
                user=service.user,
                tmpfs=dict.fromkeys(service.writable, f"{TMPFS}{owner}"),
                network=network,
                networking_config={network: self._client.api.create_endpoint_config(aliases=[service.name])},
                **OPTIONS,
            )
        try:
            with engine_errors(self._client, where, refusal=ServiceFailed):
                container.start()
                container.reload()
            yield container
        finally:
            with engine_errors(self._client, f"removing {container.name}"):
                with already_gone_is_fine():
                    container.stop(timeout=STOP_TIMEOUT_S)
                _remove(container)

    def _owner(self, service: Service, image: str) -> str:
        if not service.writable:
            return ""
        return self._images.owner(image, service.user or self._images.facts(image).user)

    def _wait_ready(self, service: Service, container: Container) -> None:
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        while True:
            with engine_errors(
                self._client, f"waiting for the service {service.name}", refusal=ServiceFailed
            ):
                container.reload()
                state = container.attrs["State"]
                if state["Running"] and _is_ready(service.ready, container):
                    return
            over = time.monotonic() >= deadline_s
            if over or not state["Running"]:
                how = (
                    f"is not ready after {READY_TIMEOUT_S:g} s ({_awaited(service.ready)})"
                    if over and state["Running"]
                    else f"ended with exit code {state['ExitCode']}"
                )
                said = _tail(container)
                raise ServiceFailed(
                    f"target.services: {service.name} ({service.image}) {how}.\n"
                    f"Fix: correct its ready, env, command or writable. Last lines of its log:\n{said}"
                )
            time.sleep(POLL_S)


def _ran(container: Container) -> tuple[int, str]:
    """Start it and wait: its exit code and the end of its output. It is removed."""
    try:
        container.start()
        return int(container.wait(timeout=SETUP_TIMEOUT_S)["StatusCode"]), _tail(container)
    finally:
        _remove(container)


def port_of(ready: str) -> int:
    """The port in "tcp:PORT". Raises ValueError for anything else."""
    kind, _, number = ready.partition(":")
    if kind != "tcp" or not number.isdecimal():
        raise ValueError(f'{ready!r} is neither "tcp:PORT" nor a command')
    return int(number)


def is_listening(tables: str, port: int) -> bool:
    """Whether /proc/net/tcp and tcp6, one after the other, show a socket that others can connect to."""
    for line in tables.splitlines():
        fields = line.split()
        if len(fields) < 4 or fields[3] != LISTENING:
            continue
        address, _, number = fields[1].rpartition(":")
        if int(number, 16) == port and address not in LOOPBACK:
            return True
    return False


def _is_ready(ready: str | tuple[str, ...], container: Container) -> bool:
    if not ready:
        return True
    try:
        if isinstance(ready, tuple):
            return bool(container.exec_run(list(ready)).exit_code == 0)
        return is_listening(_socket_tables(container), port_of(ready))
    except APIError:
        # Where it ended in between, that is told with its last words. The status is 409 when a command is
        # made and 500 when it is started.
        container.reload()
        if container.attrs["State"]["Running"]:
            raise
        return False


def _socket_tables(container: Container) -> str:
    """Read in the service's network namespace: from here, else, with an engine elsewhere, from inside."""
    pid = container.attrs["State"]["Pid"]
    try:
        if str(container.id) in Path(f"/proc/{pid}/cgroup").read_text():
            return "".join(Path(f"/proc/{pid}/net/{table}").read_text() for table in ("tcp", "tcp6"))
    except OSError:
        pass
    shown: Any = container.exec_run(["cat", "/proc/net/tcp", "/proc/net/tcp6"]).output
    return str(shown.decode(errors="replace"))


def _awaited(ready: str | tuple[str, ...]) -> str:
    if isinstance(ready, tuple):
        return f"`{' '.join(ready)}` does not end with exit code 0"
    return f"nothing listens on {ready}"


def _address(container: Container, network: str) -> str:
    return str(container.attrs["NetworkSettings"]["Networks"][network]["IPAddress"])


def _tail(container: Container) -> str:
    said: Any = container.logs(tail=LOG_LINES)
    return str(said.decode(errors="replace"))


def _remove(container: Container) -> None:
    with already_gone_is_fine():
        container.remove(v=True, force=True)
