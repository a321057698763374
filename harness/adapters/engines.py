"""Which engine a run gets, and that it is closed whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.adapters.docker_engine import DockerEngine
from harness.adapters.process_engine import ProcessEngine
from harness.errors import EngineUnavailable

NAMES = ("auto", "docker", "process")


@contextmanager
def open_engine(
    name: str, project: Path, run_id: str, say: Callable[[str], None]
) -> Iterator[DockerEngine | ProcessEngine]:
    """The engine of that name; "auto" is Docker where one answers, else local processes, and says so.

    Raises EngineUnavailable when Docker was asked for by name and does not answer.
    """
    engine = _open(name, project, run_id, say)
    try:
        yield engine
    finally:
        engine.close()


def _open(name: str, project: Path, run_id: str, say: Callable[[str], None]) -> DockerEngine | ProcessEngine:
    if name == "process":
        return ProcessEngine(project, run_id)
    try:
        return DockerEngine(project, run_id)
    except EngineUnavailable as error:
        if name == "docker":
            raise
        say(
            f"NO CONTAINERS: no Docker engine answers, so this run measures local processes; its results are "
            f"not comparable with containers. To mend that: {error}"
        )
        return ProcessEngine(project, run_id)
