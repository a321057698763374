"""Fault scenarios on a team's own app: what do its clients lose while it is stopped, killed or reloaded?

The load agent sends the requests of the team's own scenario, arrivals at a constant rate on kept connections,
as a pool of clients behind a load balancer does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from signal import SIGHUP, SIGKILL
from typing import Any

from harness.adapters.controlled_container import ControlledContainer, RestartPolicy
from harness.adapters.docker_engine import DockerEngine
from harness.adapters.provenance import made_with
from harness.deployment import DeploymentSpec
from harness.errors import ConfigurationError
from harness.execution.equipment import Equipment
from harness.execution.server import Server, server_for
from harness.model import Cell, OpenLoad, Scenario, Trial, Variant
from harness.pipeline import Resolved
from harness.planning.locust_files import is_locust_file
from harness.recipes import RECIPES
from harness.set_up import THIS_MACHINE, build_images, equipment_of, load_generator, read_inputs, services
from studies.experiment import Experiment, ObservationTask, Say
from studies.lifecycle.containers import runtime_directory
from studies.lifecycle.probe import EXPERIMENT, observation
from studies.lifecycle.repeats import Repeats
from studies.lifecycle.seen import Seen, seen_in
from studies.observations import Observation

FAULT_AT_S = 2.0
"""After the begin of the load: connections stand, and the app is warm."""
WATCHED_S = 10.0
"""From the fault to the end of the load."""
LEAD_S = 0.5
GRACE_S = 30.0
"""From SIGTERM to SIGKILL, as Kubernetes has it."""
START_S = 5.0
"""Roughly, for a container to start, get ready and go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that befalls a server in operation."""

    name: str
    claim: str
    """The line among the claims that asks the same of the example app."""
    act: Callable[[ControlledContainer, frozenset[int]], float]
    """Do it, given the pids of the workers; how long that took, in seconds."""
    restart: RestartPolicy = "no"
    possible: Callable[[Variant], bool] = lambda _: True
    comes_back: bool = True
    """Whether the same server is to answer again."""


def _stopped(container: ControlledContainer, _: frozenset[int]) -> float:
    return container.stop(GRACE_S)


def _killed(container: ControlledContainer, _: frozenset[int]) -> float:
    container.signal_process(1, SIGKILL)
    return 0.0


def _worker_killed(container: ControlledContainer, workers: frozenset[int]) -> float:
    container.signal_process(min(workers), SIGKILL)
    return 0.0


def _reloaded(container: ControlledContainer, _: frozenset[int]) -> float:
    container.send_signal(SIGHUP)
    return 0.0


FAULTS = (
    Fault(name="stop", claim="L2", act=_stopped, comes_back=False),
    Fault(name="kill", claim="L5", act=_killed, restart="always"),
    Fault(name="kill-worker", claim="L3", act=_worker_killed, possible=lambda v: v.workers > 1 and v.wrapped),
    Fault(name="reload", claim="L7", act=_reloaded, possible=lambda v: v.workers > 1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamEquipment:
    """What the faults are tried with."""

    equipment: Equipment
    engine: DockerEngine
    repeats: Repeats
    say: Say


def team_app(
    known: Resolved,
    *,
    only: Sequence[str] = (),
    repeats: int = 10,
    rate_per_s: float = 20.0,
    watched_s: float = WATCHED_S,
) -> Experiment[TeamEquipment]:
    """Every fault on every variant of a matrix, or on those in `only`, under its first scenario's requests.

    Raises ConfigurationError where a variant is unknown, or the requests are a Locust file.
    """
    matrix = known.matrix
    scenario = under_arrivals(matrix.scenarios[0], rate_per_s, watched_s)
    ids = {variant.id: variant for variant in matrix.variants if not (variant.twin or variant.bare)}
    if unknown := [name for name in only if name not in ids]:
        raise ConfigurationError(
            "--variant", [f"no {name!r}; there are {', '.join(ids)}" for name in unknown]
        )
    variants = [ids[name] for name in only or (matrix.baseline.id,)]
    if beside := [variant.id for variant in variants if RECIPES[variant.recipe].behind]:
        raise ConfigurationError(
            "--variant", [f"{name} is several containers; choose one of a single" for name in beside]
        )

    @contextmanager
    def equipment(run_id: str, say: Say) -> Iterator[TeamEquipment]:
        inputs = read_inputs(known.path, matrix)
        part = replace(matrix, variants=tuple({*variants, matrix.baseline}), scenarios=(scenario,))
        with ExitStack() as stack:
            engine = stack.enter_context(THIS_MACHINE.open_engine("docker", known.assets, run_id, say))
            assert isinstance(engine, DockerEngine)
            images, _ = build_images(engine, part, fail_fast=True, say=say)
            generators = load_generator(engine, images, part, inputs)
            made = equipment_of(engine, generators, images, part, inputs, clock=THIS_MACHINE.clock())
            stack.enter_context(services(made, part, "run", say))
            stack.enter_context(services(made, part, "block", say))
            yield TeamEquipment(equipment=made, engine=engine, repeats=Repeats(), say=say)

    def facts(given: TeamEquipment, into: Path) -> Mapping[str, Any]:
        return {
            "target": known.matrix.name,
            "scenario": scenario.name,
            "rate_per_s": rate_per_s,
            "repeats": repeats,
            **made_with(given.engine, into),
        }

    tasks = tuple(
        task_of(fault, variant, scenario, repeats)
        for variant in variants
        for fault in FAULTS
        if fault.possible(variant)
    )
    return Experiment(name=EXPERIMENT, tasks=tasks, equipment=equipment, facts=facts)


def under_arrivals(scenario: Scenario, rate_per_s: float, watched_s: float) -> Scenario:
    """The same requests at a constant rate. Raises ConfigurationError of a Locust file, which has its own."""
    if is_locust_file(scenario):
        raise ConfigurationError(
            f"scenario {scenario.name!r}",
            ["a Locust file sends in its own time; give [[scenarios.requests]] for fault scenarios"],
        )
    return replace(
        scenario,
        load=OpenLoad(rate_per_s=rate_per_s, arrivals="constant"),
        warmup_s=0.0,
        measure_s=FAULT_AT_S + watched_s,
    )


def task_of(
    fault: Fault, variant: Variant, scenario: Scenario, repeats: int
) -> ObservationTask[TeamEquipment]:
    """One fault on one variant, on a fresh server each time."""

    def observe(given: TeamEquipment) -> Iterator[Observation]:
        return given.repeats.with_attempts(fault.name, variant.id, seen_by(given))

    def seen_by(given: TeamEquipment) -> Iterator[Observation]:
        given.say(f"{fault.name} on {variant.id}: {repeats} times")
        seen = given.repeats.of(partial(once, fault, variant, scenario, given), times=repeats, side_by_side=1)
        yield from observations(fault, variant, seen)

    quantities = ("sent", "lost", "refused", "outage_s" if fault.comes_back else "took_s")
    return ObservationTask(
        probe=fault.name,
        claim=fault.claim,
        title=variant.id,
        quantities=frozenset((variant.id, quantity) for quantity in quantities),
        expected_s=repeats * (START_S + scenario.measure_s),
        observe=observe,
    )


def once(fault: Fault, variant: Variant, scenario: Scenario, given: TeamEquipment) -> Seen:
    """Start a server, have requests arrive, let the fault befall it, and watch. Raises TrialError."""
    # The generator is to outlive the server: only the host's network does.
    trial = Trial(cell=Cell(variant=replace(variant, network="host"), scenario=scenario), block=0)
    with runtime_directory() as runtime_dir:
        engine = _Controlled(given.engine, runtime_dir, fault.restart)
        server = server_for(trial, replace(given.equipment, engine=engine), name=f"{fault.name}.{trial.id}")
        try:
            server.start()
            server.await_ready(trial)
            server.generator.verify(scenario)
            workers = server.generator.probe().workers if variant.wrapped else ()
            return _watched(fault, server, scenario, frozenset(worker.pid for worker in workers))
        finally:
            server.stop()


def _watched(fault: Fault, server: Server, scenario: Scenario, workers: frozenset[int]) -> Seen:
    container = server.deployment
    assert isinstance(container, ControlledContainer)
    server.generator.prepare(scenario)
    start_s = time.monotonic() + LEAD_S
    server.generator.begin(
        scenario,
        seed=0,
        spans_s=((0.0, scenario.measure_s),),
        ramp_s=0.0,
        start_s=start_s,
        rest_until_s=0.0,
    )
    time.sleep(max(0.0, start_s + FAULT_AT_S - time.monotonic()))
    fault_s = time.monotonic()
    took_s = fault.act(container, workers)
    load = server.generator.finish(progress=lambda _: None)
    return seen_in(load, fault_s=fault_s, took_s=took_s)


def observations(fault: Fault, variant: Variant, seen: Sequence[Seen]) -> Iterator[Observation]:
    """One for each quantity, a value a repeat."""
    made = partial(observation, fault.name, variant.id)
    sent = sum(one.sent for one in seen)
    yield made("sent", "count", [one.sent for one in seen], note="from the fault on")
    yield made("lost", "count", [one.lost for one in seen], of=sent, note="refused connections apart")
    note = "the client knows at once, and a load balancer sends it elsewhere"
    yield made("refused", "count", [one.refused for one in seen], of=sent, note=note)
    if fault.comes_back:
        note = "between the right answers around the failures; 0 without any"
        yield made("outage_s", "s", [one.outage_s for one in seen], note=note)
    else:
        yield made("took_s", "s", [one.took_s for one in seen])


class _Controlled:
    """The engine, but that servers can be stopped and killed; structurally an `Engine`."""

    def __init__(self, engine: DockerEngine, runtime_dir: Path, restart: RestartPolicy) -> None:
        self._engine, self._runtime_dir, self._restart = engine, runtime_dir, restart
        self.name, self.describe, self.build = engine.name, engine.describe, engine.build
        self.services, self.companion = engine.services, engine.companion

    def close(self) -> None:
        """Left to whoever opened it."""

    def running(self, spec: DeploymentSpec) -> AbstractContextManager[ControlledContainer]:
        return self._engine.controlled(
            replace(spec, stop_timeout_s=0), runtime_dir=self._runtime_dir, restart=self._restart
        )
