"""A way to use any engine on the small server of programs.py."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.adapters.docker_engine import DockerEngine
from harness.adapters.process_engine import ProcessEngine
from harness.deployment import DeploymentSpec, ProcessSpec
from harness.ports import Channel, Deployment, Engine
from tests.contract.programs import COMPANION, SERVER, fake_companion
from tests.fakes import FakeEngine

RECIPE = "tiny"
DOCKERFILE = "ARG BASE_IMAGE\nFROM ${BASE_IMAGE} AS tiny\nUSER 10001:10001\n"
CPUS = tuple(sorted(os.sched_getaffinity(0)))
SPEC = DeploymentSpec(
    name="tiny.w1",
    image="to be built",
    argv=("python3", "-c", SERVER, "{port}"),
    env={"ANSWER": "well met", "LISTEN": "port {port}"},
    cpus=CPUS[-1:],
    stop_timeout_s=5.0,
)
NEIGHBOUR = ProcessSpec(
    name="neighbour",
    argv=("python3", "-c", SERVER, "{port1}"),
    env={"ANSWER": "next door", "LISTEN": "port {port1}"},
)
"""A second process for SPEC."""


@dataclass
class Rig:
    """One kind of engine, and short ways to use it."""

    kind: str
    open: Callable[[], Engine]
    """A new engine with a run id of its own."""
    engine: Engine = field(init=False)
    image: str = field(init=False)

    def __post_init__(self) -> None:
        self.engine = self.open()
        self.image = self.engine.build(RECIPE)

    def running(self, **changes: object) -> AbstractContextManager[Deployment]:
        spec = replace(SPEC, image=self.image, **changes)  # type: ignore[arg-type]
        return self.engine.running(spec)

    @contextmanager
    def pair(self) -> Iterator[tuple[Deployment, Channel]]:
        """A server, and a companion that has said hello."""
        with self.running() as deployment, self.beside(deployment) as channel:
            assert channel.receive(20) == "hello"
            yield deployment, channel

    def beside(self, deployment: Deployment) -> AbstractContextManager[Channel]:
        argv = ("python3", "-c", COMPANION)
        return self.engine.companion(deployment, image=self.image, argv=argv, cpus=CPUS[:1])


def open_engine(kind: str, project: Path) -> Engine:
    match kind:
        case "docker":
            return DockerEngine(project, f"contract-{uuid.uuid4().hex[:8]}")
        case "process":
            return ProcessEngine(project)
    return FakeEngine(recipes=(RECIPE,), answer=fake_companion, greeting=("hello",))


def write_project(project: Path) -> None:
    """What each engine builds the recipe from."""
    (project / "Dockerfile.variants").write_text(DOCKERFILE)
    (project / "requirements").mkdir()
    (project / "requirements" / f"{RECIPE}.txt").write_text("")
