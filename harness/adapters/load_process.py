"""Load from agent processes, one per generator core: starts them and talks to them in JSON lines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from math import ceil
from typing import Any

import numpy as np

from harness.adapters.load_agent import Agent, RelatedClock, failure, parsed, related_clock, server_facts
from harness.deployment import ServerFacts
from harness.errors import DeploymentDied, NoAnswer
from harness.measurement.load import LoadRecord
from harness.measurement.load_shares import (
    merge,
    share,
    stagger_s,
    total_progress,
)
from harness.model import CapacityLoad, ClosedLoad, OpenLoad, Scenario
from harness.planning.commands import GENERATOR_ARGV
from harness.planning.locust_files import is_locust_file
from harness.planning.workload_message import WorkloadKey, dealt, workload_message
from harness.ports import Deployment, Engine
from harness.redaction import without_secrets
from wire.loads import Drive
from wire.messages import (
    ON_START_TIMEOUTS,
    STEPS_AT_ONCE,
    Accepted,
    AskProbe,
    AwaitReady,
    DriveProgress,
    DriveResult,
    Operation,
    Prepare,
    TellWorkload,
    Verify,
)
from wire.workloads import Workload

PROBE_S = 10.0
WORKLOAD_S = 60.0
"""For rows of data too, of which there may be a hundred thousand."""
DRAIN_S = 10.0
"""At least; a request that was sent last gets its whole time-out."""
GRACE_S = 10.0
"""What an agent may take beyond the time it was given, before it counts as hung."""
LOOK_S = 0.5
"""How often somebody looks whether a server that is waited for still runs."""
START_LEAD_S = 0.5
"""Between telling several agents to start and their common start."""
ID_BITS_PER_AGENT = 48
"""Request ids of agent i begin at i << 48: no two agents ever use the same one."""

NOTHING: Mapping[str, Any] = {}

Progress = Callable[[Mapping[str, float]], None]


class ProcessLoadGenerator:
    """Attaches agents to deployments of any engine; structurally a `LoadGenerator`."""

    def __init__(
        self,
        engine: Engine,
        *,
        image: str,
        cpus: tuple[int, ...],
        files: Mapping[str, bytes] = NOTHING,
        secrets: Mapping[str, str] = NOTHING,
    ) -> None:
        """`files` of the workloads by their paths in the matrix; `secrets` for their "{env:NAME}"."""
        self._engine, self._image, self._cpus = engine, image, cpus
        self._files, self._secrets = files, secrets

    @contextmanager
    def attached(self, deployment: Deployment) -> Iterator[AgentGenerator]:
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
            yield AgentGenerator(
                agents,
                deployment,
                cpus=self._cpus,
                files=self._files,
                secrets=self._secrets,
            )


class AgentGenerator:
    """The agents of one deployment; structurally a `Generator`. The first one alone asks questions."""

    def __init__(
        self,
        agents: Sequence[Agent],
        deployment: Deployment,
        *,
        cpus: Sequence[int] = (),
        files: Mapping[str, bytes] = NOTHING,
        secrets: Mapping[str, str] = NOTHING,
        elsewhere: bool = False,
    ) -> None:
        """`elsewhere`: on machines whose clocks have to be related to ours."""
        self._agents, self._deployment, self._cpus = agents, deployment, cpus
        self._elsewhere = elsewhere
        self.clocks = [RelatedClock(0.0, 0.0) for _ in agents]
        self._files, self._secrets = files, secrets
        self._told: dict[int, WorkloadKey] = {}
        self._timeout_s, self._kinds = 0.0, 0
        self._so_far: LoadRecord | None = None
        self._driving: tuple[Sequence[Agent], float] | None = None
        """Those that are under way, and how long they may take."""
        self._next_ids = [index << ID_BITS_PER_AGENT for index in range(len(agents))]

    def wait_ready(
        self, *, workers: int, timeout_s: float, scenario: Scenario, ready: str | None, inside: bool
    ) -> ServerFacts | None:
        """None of a black box (not `inside`), which tells nothing. The totals of loads begin anew.

        Raises NotReady, CannotServe, or DeploymentDied as soon as there is nothing to wait for.
        """
        request = AwaitReady(
            base_url=self._deployment.base_url,
            workers=workers,
            timeout_s=timeout_s,
            ready=ready,
            inside=inside,
        )
        self._so_far = None
        if self._elsewhere:
            self.clocks = [related_clock(agent) for agent in self._agents]
        self._tell(scenario, len(self._agents))
        facts, *_ = [self._ask_while_it_runs(agent, request, timeout_s) for agent in self._agents]
        return server_facts(facts) if inside else None

    def probe(self) -> ServerFacts:
        return server_facts(self._ask(self._agents[0], AskProbe(), max(PROBE_S, self._timeout_s)))

    def verify(self, scenario: Scenario) -> None:
        """Raises WrongResponse when one request of each kind is not answered as expected."""
        kinds = self._tell(scenario, 1)
        timeout_s = scenario.request_timeout_s
        within_s = timeout_s * (kinds + len(scenario.before))
        self._ask(self._agents[0], Verify(timeout_s=timeout_s), within_s)

    def drive(self, scenario: Scenario, *, seed: int, progress: Progress) -> LoadRecord:
        """Share the scenario's load among the agents, and merge what they recorded.

        `progress` hears elapsed_s, requests and per_s, about once a second.
        """
        driving = self.prepare(scenario)
        # One agent starts at its own word: its clock need not even be ours.
        start_s = time.monotonic() + START_LEAD_S if driving > 1 else None
        span_s = (0.0, scenario.warmup_s + scenario.measure_s)
        self.begin(scenario, seed=seed, spans_s=(span_s,), ramp_s=scenario.warmup_s, start_s=start_s)
        return self.finish(progress=progress)

    def prepare(self, scenario: Scenario) -> int:
        """Have all agents know the workload, and every client take its steps; how many agents will drive."""
        loads = self._shares(scenario)
        driving = self._agents[: len(loads)]
        self._tell(scenario, len(driving))
        self._timeout_s = scenario.request_timeout_s
        if scenario.before or is_locust_file(scenario):
            self._take_steps(scenario, driving, loads)
        return len(driving)

    def begin(
        self,
        scenario: Scenario,
        *,
        seed: int,
        spans_s: tuple[tuple[float, float], ...],
        ramp_s: float,
        start_s: float | None,
        rest_until_s: float = 0.0,
    ) -> None:
        """Share a load among the agents; all keep to the same spans."""
        whole, loads = scenario.load, self._shares(scenario)
        assert not isinstance(whole, CapacityLoad)
        driving = self._agents[: len(loads)]
        for index, (agent, load) in enumerate(zip(driving, loads, strict=True)):
            agent.send(
                Drive(
                    load=load,
                    spans_s=spans_s,
                    ramp_s=ramp_s,
                    rest_until_s=rest_until_s,
                    request_timeout_s=scenario.request_timeout_s,
                    drain_s=drain_s(scenario),
                    seed=int(np.random.SeedSequence([seed, index]).generate_state(1)[0]),
                    id_base=self._next_ids[index],
                    start_at_s=None
                    if start_s is None
                    else start_s + stagger_s(whole, index) + self.clocks[index].ahead_s,
                )
            )
        self._driving = driving, max(spans_s[-1][1] + drain_s(scenario), rest_until_s)

    def finish(self, *, progress: Progress) -> LoadRecord:
        """Merge what the agents recorded, once they are through."""
        assert self._driving is not None, "no load was begun"
        (driving, within_s), self._driving = self._driving, None
        results = self._collect(driving, within_s, progress)
        for index, result in enumerate(results):
            self._next_ids[index] += max(result.scheduled, result.exchanges_sent or 0)
        ahead_s = [clock.ahead_s for clock in self.clocks[: len(driving)]]
        self._so_far = merge(results, cpus=self._cpus[: len(driving)], ahead_s=ahead_s, earlier=self._so_far)
        return self._so_far

    def _shares(self, scenario: Scenario) -> tuple[ClosedLoad | OpenLoad, ...]:
        whole = scenario.load
        assert not isinstance(whole, CapacityLoad), "a capacity search drives its rates one by one"
        return share(whole, len(self._agents))

    def _tell(self, scenario: Scenario, agents: int) -> int:
        """Have the first agents know the scenario's workload; how many kinds of requests it has.

        Rows of data are dealt among all agents that its load is shared among.
        """
        load = scenario.load
        hands = len(self._agents if isinstance(load, CapacityLoad) else share(load, len(self._agents)))
        workload = WorkloadKey.of(scenario, hands)
        message: Workload | None = None
        for index, agent in enumerate(self._agents[:agents]):
            if self._told.get(index) == workload:
                continue
            message = message or workload_message(scenario, self._files, self._secrets)
            own = dealt(message, index, hands)
            answer = self._ask(agent, TellWorkload(workload=own), WORKLOAD_S)
            self._told[index] = workload
            self._kinds = parsed(Accepted, answer).requests
        return self._kinds

    def _take_steps(
        self, scenario: Scenario, driving: Sequence[Agent], loads: Sequence[ClosedLoad | OpenLoad]
    ) -> None:
        """Have every client take its steps, so that all agents can start at the same time afterwards."""
        clients = [load.clients if isinstance(load, ClosedLoad) else 1 for load in loads]
        timeout_s = scenario.request_timeout_s
        for agent, count in zip(driving, clients, strict=True):
            agent.send(Prepare(clients=count, timeout_s=timeout_s))
        rounds = len(scenario.before) * ceil(max(clients) / STEPS_AT_ONCE)
        within_s = timeout_s * (ON_START_TIMEOUTS if is_locust_file(scenario) else rounds)
        for agent in driving:
            self._answer(agent.receive(within_s + GRACE_S), within_s)

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
                    latest[index] = parsed(DriveProgress, message["progress"])
                else:
                    results[index] = parsed(DriveResult, self._answer(message, within_s))
            if latest and not results:
                progress(total_progress(latest.values()))
        return [results[index] for index in range(len(driving))]

    def _ask(self, agent: Agent, request: Operation, within_s: float) -> object:
        agent.send(request)
        return self._answer(agent.receive(within_s + GRACE_S), within_s)

    def _ask_while_it_runs(self, agent: Agent, request: Operation, within_s: float) -> object:
        agent.send(request)
        deadline = time.monotonic() + within_s + GRACE_S
        while True:
            try:
                return self._answer(agent.receive(LOOK_S), within_s)
            except NoAnswer:
                if not self._deployment.state().running:
                    raise DeploymentDied(f"{self._deployment.name}: it ended before it was ready") from None
                if time.monotonic() > deadline:
                    raise

    def _answer(self, message: Mapping[str, Any], within_s: float) -> object:
        """The result in an answer; raises the error in it."""
        if message.get("ok") is True:
            return message.get("result")
        error = message.get("error")
        if isinstance(error, dict):
            error = {**error, "message": without_secrets(str(error.get("message")), self._secrets)}
        raise failure(error, name=self._deployment.name, within_s=within_s)


def drain_s(scenario: Scenario) -> float:
    """How long requests under way are waited for after the load."""
    return max(DRAIN_S, scenario.request_timeout_s)
