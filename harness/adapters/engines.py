"""Which engine a run gets, and that it is closed whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.adapters.docker_engine import DockerEngine
from harness.adapters.process_engine import ProcessEngine
from harness.adapters.scratch import remove_dead, scratch
from harness.errors import EnvironmentProblem

NAMES = ("auto", "docker", "process")


@contextmanager
def open_engine(
    name: str, project: Path, run_id: str, say: Callable[[str], None]
) -> Iterator[DockerEngine | ProcessEngine]:
    """The engine of that name; "auto" is Docker where it can be used, else local processes, and says so.

    What dead runs left on a Docker engine goes first: it would be measured along. Raises EnvironmentProblem
    when Docker was asked for by name and does not answer or has no base image.
    """
    with scratch():
        engine = _open(name, project, run_id, say)
        try:
            leftovers = engine.remove_leftovers() if isinstance(engine, DockerEngine) else []
            for leftover in (*leftovers, *remove_dead()):
                say(f"removed {leftover}, which a run that was killed had left behind")
            yield engine
        finally:
            engine.close()


def _open(name: str, project: Path, run_id: str, say: Callable[[str], None]) -> DockerEngine | ProcessEngine:
    if name == "process":
        return ProcessEngine(project)
    try:
        return DockerEngine(project, run_id)
    except EnvironmentProblem as problem:
        if name == "docker":
            raise
        say(
            f"NO CONTAINERS: this run measures local processes; its results are not comparable with "
            f"containers. Why, and how to fix it: {problem}"
        )
        return ProcessEngine(project)
