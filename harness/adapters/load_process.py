"""Load from agent processes, one per generator core: starts them and talks to them in JSON lines."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict
from typing import Any, Protocol, TypeVar

import numpy as np
from pydantic import TypeAdapter, ValidationError

from harness.deployment import ServerFacts
from harness.errors import CannotServe, GeneratorFailed, NotReady, TrialError, WrongResponse
from harness.measurement.load import LoadRecord
from harness.measurement.load_shares import (
    DriveProgress,
    DriveResult,
    merge,
    share,
    stagger_s,
    total_progress,
)
from harness.model import CapacityLoad, ClosedLoad, OpenLoad, Scenario
from harness.planning.commands import GENERATOR_ARGV

START_TIMEOUT_S = 30.0
PROBE_S = 10.0
VERIFY_S = 30.0
DRAIN_S = 10.0
GRACE_S = 10.0
"""What an agent may take beyond the time it was given, before it counts as hung."""
START_LEAD_S = 0.5
"""Between telling several agents to start and their common start."""
ID_BITS_PER_AGENT = 48
"""Request ids of agent i begin at i << 48: no two agents ever use the same one."""

_FACTS, _PROGRESS, _RESULT = TypeAdapter(ServerFacts), TypeAdapter(DriveProgress), TypeAdapter(DriveResult)

T = TypeVar("T")
Progress = Callable[[Mapping[str, float]], None]


class _Channel(Protocol):
    def send(self, line: str) -> None: ...
    def receive(self, timeout_s: float) -> str: ...


class _Deployment(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def base_url(self) -> str: ...


class _Engine(Protocol):
    def companion(
        self, beside: Any, *, image: str, argv: tuple[str, ...], cpus: tuple[int, ...]
    ) -> AbstractContextManager[_Channel]: ...


class ProcessLoadGenerator:
    """Attaches agents to deployments of any engine; structurally a `LoadGenerator`."""

    def __init__(self, engine: _Engine, *, image: str, cpus: tuple[int, ...]) -> None:
        self._engine, self._image, self._cpus = engine, image, cpus

    @contextmanager
    def attached(self, deployment: _Deployment) -> Iterator[AgentGenerator]:
        """Starts the agents at once, so that they import while the server boots."""
        with ExitStack() as stack:
            agents = [
                Agent(
                    stack.enter_context(
                        self._engine.companion(
                            deployment, image=self._image, argv=GENERATOR_ARGV, cpus=(cpu,)
                        )
                    )
                )
                for cpu in self._cpus
            ]
            yield AgentGenerator(agents, base_url=deployment.base_url, name=deployment.name, cpus=self._cpus)


class Agent:
    """One agent's end of its channel."""

    def __init__(self, channel: _Channel) -> None:
        self._channel = channel
        self._greeted = False

    def send(self, request: Mapping[str, object]) -> None:
        """Raises GeneratorFailed when the agent never came up."""
        if not self._greeted:
            self.receive(START_TIMEOUT_S)
            self._greeted = True
        self._channel.send(json.dumps(request))

    def receive(self, timeout_s: float) -> Mapping[str, Any]:
        """The next message: a progress, or an answer with `ok`. Raises GeneratorFailed for anything else."""
        line = self._channel.receive(timeout_s)
        try:
            message = json.loads(line)
        except json.JSONDecodeError as error:
            raise GeneratorFailed(f"the load agent wrote no JSON ({error}): {line[:200]!r}") from error
        if not isinstance(message, dict) or not {"progress", "ok"} & message.keys():
            raise GeneratorFailed(f"the load agent broke its protocol: {line[:200]!r}")
        return message


class AgentGenerator:
    """The agents of one deployment; structurally a `Generator`. The first one alone asks questions."""

    def __init__(
        self, agents: Sequence[Agent], *, base_url: str, name: str, cpus: Sequence[int] = ()
    ) -> None:
        self._agents, self._base_url, self._name, self._cpus = agents, base_url, name, cpus
        self._so_far: LoadRecord | None = None
        self._next_ids = [index << ID_BITS_PER_AGENT for index in range(len(agents))]

    def wait_ready(
        self, *, workers: int, timeout_s: float, scenario: Scenario, ready: str | None, inside: bool
    ) -> ServerFacts | None:
        """Raises NotReady, or CannotServe."""
        del scenario, ready, inside  # The agent's protocol 2 takes them.
        request = {"op": "ready", "base_url": self._base_url, "workers": workers, "timeout_s": timeout_s}
        facts, *_ = [self._ask(agent, request, timeout_s) for agent in self._agents]
        return server_facts(facts)

    def probe(self) -> ServerFacts:
        return server_facts(self._ask(self._agents[0], {"op": "probe"}, PROBE_S))

    def verify(self, scenario: Scenario) -> None:
        """Raises WrongResponse when one request of each kind is not answered as expected."""
        request = {"op": "verify", "locustfile": scenario.locustfile}
        self._ask(self._agents[0], request, VERIFY_S)

    def drive(self, scenario: Scenario, *, seed: int, progress: Progress) -> LoadRecord:
        """Share the scenario's load among the agents, and merge what they recorded.

        `progress` hears elapsed_s, requests and per_s, about once a second.
        """
        whole = scenario.load
        assert not isinstance(whole, CapacityLoad), "a capacity search drives its rates one by one"
        loads = share(whole, len(self._agents))
        driving = self._agents[: len(loads)]
        # One agent starts at its own word: its clock need not even be ours.
        start_s = time.monotonic() + START_LEAD_S if len(loads) > 1 else None
        for index, (agent, load) in enumerate(zip(driving, loads, strict=True)):
            agent.send(
                {
                    **drive_request(scenario, load),
                    "seed": int(np.random.SeedSequence([seed, index]).generate_state(1)[0]),
                    "id_base": self._next_ids[index],
                    "start_at_s": None if start_s is None else start_s + stagger_s(whole, index),
                }
            )
        results = self._collect(driving, scenario.warmup_s + scenario.measure_s + DRAIN_S, progress)
        for index, result in enumerate(results):
            self._next_ids[index] += result.scheduled
        self._so_far = merge(results, cpus=self._cpus[: len(driving)], earlier=self._so_far)
        return self._so_far

    def _collect(self, driving: Sequence[Agent], within_s: float, progress: Progress) -> list[DriveResult]:
        """Every agent's result. They report once a second, so reading them in turn keeps up with all."""
        deadline = time.monotonic() + within_s + GRACE_S
        results: dict[int, DriveResult] = {}
        latest: dict[int, DriveProgress] = {}
        while len(results) < len(driving):
            for index, agent in enumerate(driving):
                if index in results:
                    continue
                message = agent.receive(max(0.0, deadline - time.monotonic()))
                if "progress" in message:
                    latest[index] = parsed(_PROGRESS, message["progress"])
                else:
                    results[index] = parsed(_RESULT, self._answer(message, within_s))
            if latest and not results:
                progress(total_progress(latest.values()))
        return [results[index] for index in range(len(driving))]

    def _ask(self, agent: Agent, request: Mapping[str, object], within_s: float) -> object:
        agent.send(request)
        return self._answer(agent.receive(within_s + GRACE_S), within_s)

    def _answer(self, message: Mapping[str, Any], within_s: float) -> object:
        """The result in an answer; raises the error in it."""
        if message.get("ok") is True:
            return message.get("result")
        raise failure(message.get("error"), name=self._name, within_s=within_s)


def drive_request(scenario: Scenario, load: ClosedLoad | OpenLoad) -> dict[str, object]:
    """What every agent's `drive` has in common, with its own share of the load."""
    return {
        "op": "drive",
        "locustfile": scenario.locustfile,
        "load": asdict(load),
        "warmup_s": scenario.warmup_s,
        "measure_s": scenario.measure_s,
        "request_timeout_s": scenario.request_timeout_s,
        "drain_s": DRAIN_S,
    }


def failure(error: object, *, name: str, within_s: float) -> TrialError:
    """An agent's error as one of ours; whatever is not the server's fault is the generator's."""
    match error:
        case {"kind": "NotReady", "message": str(message)}:
            return NotReady(name, within_s, message)
        case {"kind": "CannotServe", "message": str(message)}:
            return CannotServe(f"{name}: {message}. The cause stands in its server.log.")
        case {"kind": "WrongResponse", "message": str(message)}:
            return WrongResponse(f"{name}: {message}")
        case {"kind": str(kind), "message": str(message)}:
            return GeneratorFailed(f"{name}: the load agent failed ({kind}): {message}")
    return GeneratorFailed(f"{name}: the load agent failed without a reason: {error!r}")


def server_facts(answer: object) -> ServerFacts:
    """The probe's answer as facts. Raises GeneratorFailed naming the field that is missing or wrong."""
    return parsed(_FACTS, answer)


def parsed(kind: TypeAdapter[T], answer: object) -> T:
    """`answer` as a dataclass, strictly: no text for a number, no field left out."""
    try:
        return kind.validate_json(json.dumps(answer), strict=True)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "all of it"
        raise GeneratorFailed(
            f"the load agent's answer is no {error.title}: {where}: {problem['msg']}. "
            f"Agent and harness are of different versions; build the generator again."
        ) from error
