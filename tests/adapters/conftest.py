"""A Docker engine of the test's own run, and a client of the test's own to look at what it does."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker import DockerClient

from harness.adapters.docker_engine import DockerEngine
from tests.contract.rig import RECIPE, write_project


@pytest.fixture
def client() -> Iterator[DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture
def run_id() -> str:
    return f"test-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_project(tmp_path)
    return tmp_path


@pytest.fixture
def engine(project: Path, run_id: str) -> Iterator[DockerEngine]:
    engine = DockerEngine(project, run_id)
    yield engine
    engine.close()


@pytest.fixture
def image(engine: DockerEngine) -> str:
    return engine.build(RECIPE)
