"""Short ways to start containers and to see which of a run still stand."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from docker import DockerClient
from docker.models.containers import Container

from harness.adapters import ownership
from harness.adapters.docker_deployment import DockerDeployment
from harness.adapters.docker_engine import DockerEngine
from tests.contract.programs import COMPANION
from tests.contract.rig import CPUS, SPEC

PATIENCE = float(os.environ.get("HARNESS_PATIENCE", "1"))
"""How many times slower than an ordinary machine this one is: an emulated one is about twenty."""
GONE_WITHIN_S = 15.0


def server(engine: DockerEngine, image: str, **changes: Any) -> AbstractContextManager[DockerDeployment]:
    return engine.running(replace(SPEC, **{"image": image, "stop_timeout_s": 1.0, **changes}))


def companion(engine: DockerEngine, image: str, beside: DockerDeployment) -> AbstractContextManager[Any]:
    return engine.companion(beside, image=image, argv=("python3", "-c", COMPANION), cpus=CPUS[:1])


def of_run(client: DockerClient, run_id: str) -> list[str]:
    """Names of all containers and networks of a run."""
    wanted: dict[str, Any] = {"label": f"{ownership.RUN}={run_id}"}
    containers = client.containers.list(all=True, filters=wanted, ignore_removed=True)
    found = [*containers, *client.networks.list(filters=wanted)]
    return [str(thing.name) for thing in found]


def container_of(client: DockerClient, deployment: DockerDeployment) -> Container:
    return client.containers.get(str(deployment._container.id))


def by_role(client: DockerClient, run_id: str, role: str, *, all: bool = False) -> Container:
    """The one running container of that role; with `all`, one that has ended too."""
    (container,) = all_by_role(client, run_id, role, all=all)
    return container


def all_by_role(client: DockerClient, run_id: str, role: str, *, all: bool = False) -> list[Container]:
    labels = [f"{ownership.RUN}={run_id}", f"harness.role={role}"]
    found: list[Container] = client.containers.list(all=all, filters={"label": labels})
    return found


def eventually(happened: Callable[[], bool], within_s: float = GONE_WITHIN_S) -> bool:
    deadline = time.monotonic() + within_s * PATIENCE
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
