"""The engines under contract, each able to build and run the same small server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from harness.ports import Engine
from tests.contract.rig import Rig, open_engine, write_project


@pytest.fixture(
    scope="session",
    params=["fake", "process", pytest.param("docker", marks=pytest.mark.engine)],
)
def rig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    if request.param == "docker":
        request.getfixturevalue("docker_here")
    project = tmp_path_factory.mktemp(request.param)
    write_project(project)
    with ExitStack() as closing:

        def opened() -> Engine:
            engine = open_engine(request.param, project)
            closing.callback(engine.close)
            return engine

        yield Rig(request.param, opened)
