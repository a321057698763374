"""What the wrapper around an app costs it: `python benchmarks/wrapper_cost.py`. Allowed: 2 % on `items`.

Each block starts three containers of one image side by side on the server's cores: the app wrapped, bare, and
bare again. Load visits them in short slices, in an order drawn anew each round. A block's figure is the mean
log ratio of its rounds; the block is the unit of replication. The two bare ones give the A/A floor. Exits 1
when the wrapper surely takes more than is allowed of the throughput, and 2 when the interval is too wide to
tell. About 10 minutes.
"""

from __future__ import annotations

import math
import os
import random
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from harness.adapters import host
from harness.adapters.assets import assets
from harness.adapters.docker_engine import DockerEngine
from harness.adapters.load_process import ProcessLoadGenerator
from harness.analysis.intervals import summarise
from harness.deployment import DeploymentSpec
from harness.findings import Summary
from harness.measurement.metrics import throughput_per_s
from harness.model import ClosedLoad, Scenario, Variant
from harness.planning.commands import processes
from harness.planning.example import EXAMPLE
from harness.ports import Deployment, Generator

BLOCKS, ROUNDS, SLICE_S, RAMP_S = 10, 30, 0.15, 0.02
ALLOWED = 0.02
WRAPPED = Variant(recipe="uvicorn-standard", workers=1)
ARMS = {"wrapped": WRAPPED, "bare": replace(WRAPPED, bare=True), "bare again": replace(WRAPPED, bare=True)}
SCENARIOS = tuple(
    Scenario(
        name=name,
        locustfile=name,
        load=ClosedLoad(clients=16),
        warmup_s=RAMP_S,
        measure_s=SLICE_S,
        slo_ms=50.0,
    )
    for name in ("items", "cpu_bound")
)

Server = tuple[Deployment, Generator]


def started(
    engine: DockerEngine, image: str, arm: str, cpus: tuple[int, ...], stack: ExitStack
) -> Deployment:
    process, *_ = processes(ARMS[arm], EXAMPLE, EXAMPLE.env)
    spec = DeploymentSpec(
        name=arm.replace(" ", "-"), image=image, argv=process.argv, env=process.env, cpus=cpus
    )
    return stack.enter_context(engine.running(spec))


def block(servers: dict[str, Server], scenario: Scenario, order: random.Random) -> dict[str, float]:
    """Mean log ratio to "bare" by arm, and of the CPU per request of "wrapped"."""
    for _, generator in servers.values():
        generator.drive(replace(scenario, warmup_s=0.5), seed=1, progress=lambda _: None)
    logs: dict[str, list[float]] = {"wrapped": [], "bare again": []}
    used = dict.fromkeys(ARMS, 0.0)
    done = dict.fromkeys(ARMS, 0)
    sent = dict.fromkeys(ARMS, 0)
    for number in range(ROUNDS):
        per_s: dict[str, float] = {}
        for arm in order.sample(tuple(ARMS), k=len(ARMS)):
            deployment, generator = servers[arm]
            cpu_s = deployment.reading().cpu_s
            load = generator.drive(scenario, seed=number, progress=lambda _: None)
            used[arm] += deployment.reading().cpu_s - cpu_s
            if number:
                done[arm] += load.scheduled - sent[arm]
            else:
                used[arm] = 0.0
            sent[arm] = load.scheduled
            per_s[arm] = throughput_per_s(load)
        for arm, ratios in logs.items():
            ratios.append(math.log(per_s[arm] / per_s["bare"]))
    means = {arm: math.exp(sum(ratios) / len(ratios)) for arm, ratios in logs.items()}
    return {**means, "CPU": used["wrapped"] / done["wrapped"] * done["bare"] / used["bare"]}


def run(engine: DockerEngine, scenario: Scenario) -> dict[str, Summary]:
    server_cpus, generator_cpus = host.cpu_split()
    image = engine.build(WRAPPED.recipe)
    generators = ProcessLoadGenerator(engine, image=engine.build("generator"), cpus=generator_cpus)
    order, figures = random.Random(1), []
    with host.pinned_to(generator_cpus):
        for _ in range(BLOCKS):
            with ExitStack() as stack:
                servers: dict[str, Server] = {}
                for arm in order.sample(tuple(ARMS), k=len(ARMS)):
                    deployment = started(engine, image, arm, server_cpus, stack)
                    servers[arm] = (deployment, stack.enter_context(generators.attached(deployment)))
                for arm, (_, generator) in servers.items():
                    generator.wait_ready(
                        workers=1,
                        timeout_s=30,
                        scenario=scenario,
                        ready=EXAMPLE.ready,
                        inside=ARMS[arm].wrapped,
                    )
                figures.append(block(servers, scenario, order))
    return {name: summarise([figure[name] for figure in figures]) for name in figures[0]}


def shown(ratio: Summary) -> str:
    return f"{ratio.center:.4f} (95 % interval {ratio.lo:.4f} to {ratio.hi:.4f})"


def verdict(ratios: Sequence[Summary]) -> int:
    first = ratios[0]
    assert first.lo is not None
    assert first.hi is not None
    if first.hi < 1 - ALLOWED:
        return 1
    return 0 if first.lo >= 1 - 2 * ALLOWED else 2


def main() -> int:
    load_before = os.getloadavg()[0]
    engine = DockerEngine(assets(), f"wrapper-cost-{os.getpid()}")
    try:
        found = {scenario.name: run(engine, scenario) for scenario in SCENARIOS}
    finally:
        engine.close()
    for name, ratios in found.items():
        print(f"{name}: requests/s wrapped / bare {shown(ratios['wrapped'])}")
        print(f"  bare / bare {shown(ratios['bare again'])}; CPU per request {shown(ratios['CPU'])}")
    facts = host.facts(Path.cwd())
    print(f"{BLOCKS} blocks of {ROUNDS} rounds, slices of {SLICE_S:g} s, {WRAPPED.id}")
    print(f"{facts['cpu_model']} x {facts['cpus_host']}, kernel {facts['kernel']}, load {load_before:.1f}")
    return verdict([ratios["wrapped"] for ratios in found.values()])


if __name__ == "__main__":
    sys.exit(main())
