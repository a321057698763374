"""A variant's server and the load generator next to it; and those of a block, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import TypeVar

from harness.deployment import DeploymentSpec
from harness.errors import EngineUnavailable, TrialError
from harness.execution.equipment import Equipment, deployment_spec
from harness.model import Trial
from harness.ports import Deployment, Generator

AT_ONCE = 8
"""Servers that are started or stopped at the same time, at most."""

_Thing = TypeVar("_Thing")

SpecOf = Callable[[Trial], DeploymentSpec]
"""How the server of a trial is started, such as an oracle that is no recipe of ours."""


class Server:
    """Stands from `start` to `stop`. What it said last can be had afterwards too."""

    deployment: Deployment
    generator: Generator

    def __init__(self, name: str, spec: Callable[[], DeploymentSpec], equipment: Equipment) -> None:
        """`spec` is asked at the start: a variant that cannot be started fails there."""
        self.name = name
        self._spec, self._equipment = spec, equipment
        self._serving, self._loading = ExitStack(), ExitStack()
        self.started = False

    def start(self) -> None:
        """Raises TrialError, VariantError."""
        spec = replace(self._spec(), name=self.name)
        self.deployment = self._serving.enter_context(self._equipment.engine.running(spec))
        self.started = True
        self.generator = self._loading.enter_context(self._equipment.generators.attached(self.deployment))

    def await_ready(self, trial: Trial) -> None:
        """Until it serves this trial's scenario. Raises TrialError, CannotServe."""
        variant = trial.cell.variant
        self.generator.wait_ready(
            workers=variant.workers,
            timeout_s=self._equipment.ready_timeout_s,
            scenario=trial.cell.scenario,
            ready=self._equipment.target.ready,
            inside=variant.wrapped,
        )

    def stop(self) -> None:
        """Remove the generator and the server. May be called twice."""
        with self._serving, self._loading:
            pass


class Row:
    """The servers of one block. Each serves one scenario after the other, for as long as nothing befalls it.

    A context manager: whatever happens, all are removed on the way out.
    """

    def __init__(self, equipment: Equipment, spec_of: SpecOf | None = None) -> None:
        self.spec_of = spec_of
        self._equipment = equipment
        self._servers: dict[str, Server] = {}

    def __enter__(self) -> Row:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def servers_of(self, trials: Sequence[Trial]) -> list[Server]:
        """One for each trial, some of them yet to be started. Those of other variants are stopped."""
        wanted = [trial.cell.variant.id for trial in trials]
        self._stop([name for name in self._servers if name not in wanted])
        return [
            self._servers.setdefault(
                name,
                server_for(trial, self._equipment, name=f"{name}.{trial.block:02d}", spec_of=self.spec_of),
            )
            for name, trial in zip(wanted, trials, strict=True)
        ]

    def forget(self, trial: Trial) -> None:
        """The server of this trial has been stopped: the next scenario gets a new one."""
        del self._servers[trial.cell.variant.id]

    def stop(self) -> None:
        """Raises EngineUnavailable where one cannot be stopped: it would disturb whatever comes next."""
        self._stop(list(self._servers))

    def _stop(self, names: Sequence[str]) -> None:
        servers = [self._servers.pop(name) for name in names]
        try:
            at_once(Server.stop, servers)
        except TrialError as error:
            raise EngineUnavailable(f"a server of this block could not be stopped: {error}") from error


def server_for(trial: Trial, equipment: Equipment, *, name: str, spec_of: SpecOf | None = None) -> Server:
    """Yet to be started, as the trial's variant says or as `spec_of` does."""
    spec = partial(spec_of, trial) if spec_of else partial(deployment_spec, trial, equipment)
    return Server(name, spec, equipment)


def at_once(act: Callable[[_Thing], None], things: Sequence[_Thing]) -> None:
    """The engine waits for most of the time that a container takes to start and to stop."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="server") as threads:
        for done in [threads.submit(act, thing) for thing in things]:
            done.result()
