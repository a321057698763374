"""Reaching the Docker engine, and what it means when it does not answer."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import docker
from docker import DockerClient
from docker.errors import APIError, DockerException
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from harness.adapters.assets import engine_remedy
from harness.errors import EngineUnavailable, HarnessError, TrialError

API_TIMEOUT_S = 60
RECONNECT_S = 20.0
POLL_S = 0.25

CONNECTION_LOST = (RequestException, HTTPError)
"""What the SDK lets through when the engine goes away in the middle of a request."""


def connect() -> DockerClient:
    """A client that speaks the highest version both sides know. Raises EngineUnavailable."""
    try:
        client = docker.from_env(timeout=API_TIMEOUT_S)
        client.ping()
    except (DockerException, *CONNECTION_LOST) as error:
        raise EngineUnavailable(_no_answer(str(error))) from error
    return client


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
    where = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    return (
        f"No Docker engine answers at {where} ({detail}).\nFix: start it (sudo systemctl start docker), "
        f"or get one ({engine_remedy()}), or set DOCKER_HOST."
    )
