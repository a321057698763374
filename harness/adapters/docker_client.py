"""Reaching the Docker engine, and what it means when it does not answer."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import docker
import psutil
from docker import DockerClient
from docker.context import Context, ContextAPI
from docker.errors import APIError, DockerException
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from harness.adapters.assets import engine_remedy
from harness.errors import EngineUnavailable, EnvironmentProblem, HarnessError, TrialError

API_TIMEOUT_S = 60
RECONNECT_S = 20.0
POLL_S = 0.25

CONNECTION_LOST = (RequestException, HTTPError)
"""What the SDK lets through when the engine goes away in the middle of a request."""


MEMORY_TOLERANCE = 0.01
"""Of the memory that an engine sees and that this program sees, where both are on one machine."""


def connect() -> DockerClient:
    """A client that speaks the highest version both sides know. Raises EngineUnavailable."""
    try:
        client = engine_client(timeout_s=API_TIMEOUT_S)
        client.ping()
    except (DockerException, *CONNECTION_LOST) as error:
        raise EngineUnavailable(_no_answer(str(error))) from error
    return client


def engine_client(*, timeout_s: int) -> DockerClient:
    """Of the engine that the docker program would ask: by DOCKER_HOST, DOCKER_CONTEXT or the context in use.

    Raises the docker SDK's errors.
    """
    context = _context()
    return docker.from_env(timeout=timeout_s) if context is None else _client_of(context, timeout_s)


def client_at(where: str, *, timeout_s: int) -> DockerClient:
    """Of a Docker context by its name, or of the engine at an address such as ssh://host or tcp://host:2376.

    Raises the docker SDK's errors.
    """
    if "://" in where:
        use_ssh = where.startswith("ssh://")
        return DockerClient(base_url=where, timeout=timeout_s, use_ssh_client=use_ssh)
    context = ContextAPI.get_context(where)
    if context is None:
        raise DockerException(f"there is no Docker context {where!r}")
    return _client_of(context, timeout_s)


def _client_of(context: Context, timeout_s: int) -> DockerClient:
    address = context.Host or ""
    return DockerClient(
        base_url=address,
        tls=context.TLSConfig or False,
        timeout=timeout_s,
        use_ssh_client=address.startswith("ssh://"),
    )


def _context() -> Context | None:
    """None: the environment says where, or nothing does. Raises DockerException where it is not known."""
    if os.environ.get("DOCKER_HOST"):
        return None
    wanted = os.environ.get("DOCKER_CONTEXT")
    context = ContextAPI.get_context(wanted)
    if context is None:
        raise DockerException(f"there is no Docker context {wanted!r}; see `docker context ls`")
    return None if context.Name == "default" else context


def refuse_another_machine(info: Mapping[str, Any]) -> None:
    """Raises EnvironmentProblem where the machine of the engine that says this of itself is not this one.

    Cores are chosen, steal and neighbours watched and published ports reached from here: of another machine
    all of it would be wrong.
    """
    there = (str(info["KernelVersion"]), int(info["MemTotal"]))
    here = (os.uname().release, psutil.virtual_memory().total)
    if there[0] == here[0] and abs(there[1] / here[1] - 1) <= MEMORY_TOLERANCE:
        return
    described = (f"kernel {kernel}, {memory / 2**30:.1f} GiB" for kernel, memory in (there, here))
    raise EnvironmentProblem(
        f"The Docker engine at {_where()} runs on another machine ({'; here: '.join(described)}).\n"
        "From here its cores cannot be chosen, nor what else runs there be seen: figures would mislead.\n"
        "Fix: run harness on that machine, or choose an engine here (docker context use, DOCKER_HOST)."
    )


@contextmanager
def engine_errors(
    client: DockerClient, doing: str, *, refusal: type[HarnessError] = TrialError
) -> Iterator[None]:
    """Turn the SDK's errors into ours.

    A refused request fails the trial, or whatever `refusal` stands for. A lost connection fails it too,
    once the engine is back; an engine that stays away for RECONNECT_S ends the run with EngineUnavailable.
    """
    try:
        yield
    except APIError as error:
        raise refusal(f"{doing}: the Docker engine refused: {error.explanation or error}") from error
    except CONNECTION_LOST as error:
        wait_for_engine(client, doing, timeout_s=RECONNECT_S)
        raise refusal(
            f"{doing}: the connection to the Docker engine broke and came back, so nothing measured across "
            f"it counts ({error}). If the engine was not restarted on purpose, read its log."
        ) from error


def engine_facts(client: DockerClient, base: tuple[str, str]) -> dict[str, str]:
    """Engine, kernel and base image (reference and id), for a manifest."""
    with engine_errors(client, "describing the engine"):
        info, version = client.info(), client.version()
    reference, image_id = base
    return {
        "engine_version": str(version["Version"]),
        "api_version": client.api.api_version,
        "storage_driver": str(info["Driver"]),
        "cgroup_version": str(info.get("CgroupVersion", "1")),
        "cgroup_driver": str(info["CgroupDriver"]),
        "kernel": str(info["KernelVersion"]),
        "os": str(info["OperatingSystem"]),
        "base_image": reference,
        "base_image_id": image_id,
    }


def wait_for_engine(client: DockerClient, doing: str, *, timeout_s: float) -> None:
    """Return as soon as the engine answers. Raises EngineUnavailable after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            client.ping()
            return
        except (APIError, *CONNECTION_LOST) as error:
            if time.monotonic() >= deadline:
                lost = f"{doing}: it has been away for {timeout_s:g} s. What this run left is removed by "
                raise EngineUnavailable(f"{lost}`harness clean`. {_no_answer(str(error))}") from error
        time.sleep(POLL_S)


def _no_answer(detail: str) -> str:
    return (
        f"No Docker engine answers at {_where()} ({detail}).\nFix: start it (sudo systemctl start docker), "
        f"or get one ({engine_remedy()}), or choose another (docker context use, DOCKER_HOST)."
    )


def _where() -> str:
    try:
        context = _context()
    except DockerException:
        return f"the context {os.environ.get('DOCKER_CONTEXT')}"
    if context is not None:
        return f"{context.Host} (Docker context {context.Name})"
    return os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
