"""What observing a server costs it: `python benchmarks/cost_of_looking.py`. Allowed: the A/A floor.

Each block starts one container and measures it four times in random order: watched as in a trial (probe
and memory snapshot before, the observer at 1 Hz during the load), watched 20 times as often, and twice not
watched. These two give the floor, and together the reference. Exits 1 when watching at 1 Hz makes a larger
difference than the floor, and 2 when the floor of the throughput is above 3 %, on a machine too noisy to
tell. The cost at 20 Hz, divided by 20, bounds that at 1 Hz even there. Under 3 minutes.
"""

from __future__ import annotations

import math
import os
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from harness.adapters import host
from harness.adapters.assets import assets
from harness.adapters.docker_engine import DockerEngine
from harness.adapters.load_process import AgentGenerator, ProcessLoadGenerator
from harness.adapters.system_clock import SystemClock
from harness.analysis.intervals import paired_ratio
from harness.analysis.verdicts import reach, relative_difference
from harness.deployment import DeploymentSpec
from harness.execution.observer import Observer
from harness.findings import Summary
from harness.measurement.load import LoadRecord
from harness.measurement.metrics import latencies, throughput_per_s
from harness.model import ClosedLoad, Scenario, Variant
from harness.planning.commands import server_argv, server_env
from harness.planning.example import EXAMPLE
from harness.ports import Deployment

BLOCKS = 12
VARIANT = Variant(recipe="uvicorn-standard", workers=1)
SCENARIO = Scenario(
    name="items", locustfile="items", load=ClosedLoad(clients=16), warmup_s=0.2, measure_s=2.0, slo_ms=50.0
)
PERIODS_S = {"1 Hz": 1.0, "20 Hz": 0.05, "not watched": None, "not watched again": None}
"""Seconds between the observer's readings, by arm."""
WATCHED, OFTEN, ALONE, TWIN = PERIODS_S
RATE, P95, CPU = METRICS = ("requests/s", "p95 latency", "CPU per request")
WIDEST_FLOOR = 0.03

Values = dict[int, float]
"""By block."""


def measured(arm: str, deployment: Deployment, generator: AgentGenerator, seed: int) -> LoadRecord:
    """The load's record. The totals in it go on over all loads of the generator."""
    period_s = PERIODS_S[arm]
    if period_s:
        deployment.memory()
        generator.probe()
    with Observer(deployment, SystemClock(), period_s=period_s) if period_s else nullcontext():
        return generator.drive(SCENARIO, seed=seed, progress=lambda _: None)


def block_figures(
    deployment: Deployment, generator: AgentGenerator, order: Sequence[str], seed: int
) -> Iterator[tuple[str, str, float]]:
    """Metric, arm and value."""
    generator.wait_ready(
        workers=VARIANT.workers, timeout_s=30, scenario=SCENARIO, ready="/health/ready", inside=True
    )
    # Imports, caches and the first connections are paid before anything counts.
    sent = measured(ALONE, deployment, generator, seed).scheduled
    for arm in order:
        cpu_before_s = deployment.reading().cpu_s
        load = measured(arm, deployment, generator, seed)
        yield CPU, arm, (deployment.reading().cpu_s - cpu_before_s) / (load.scheduled - sent)
        yield RATE, arm, throughput_per_s(load)
        yield P95, arm, float(np.quantile(latencies(load), 0.95))
        sent = load.scheduled


def run(engine: DockerEngine) -> dict[str, dict[str, Values]]:
    """Values by metric and arm."""
    server_cpus, generator_cpus = host.cpu_split()
    generators = ProcessLoadGenerator(engine, image=engine.build("generator"), cpus=generator_cpus)
    spec = DeploymentSpec(
        name="cost-of-looking",
        image=engine.build(VARIANT.recipe),
        argv=server_argv(VARIANT, EXAMPLE),
        env=server_env(VARIANT, EXAMPLE, EXAMPLE.env),
        cpus=server_cpus,
    )
    figures: dict[str, dict[str, Values]] = {metric: {arm: {} for arm in PERIODS_S} for metric in METRICS}
    rng = random.Random(1)
    with host.pinned_to(generator_cpus):
        for block in range(BLOCKS):
            order = rng.sample(tuple(PERIODS_S), len(PERIODS_S))
            with engine.running(spec) as deployment, generators.attached(deployment) as generator:
                for metric, arm, value in block_figures(deployment, generator, order, seed=block):
                    figures[metric][arm][block] = value
    return figures


def ratio_of(upper: Values, lower: Values) -> Summary:
    pair = paired_ratio(upper, lower)
    assert pair is not None
    return pair.ratio


def shown(ratio: Summary) -> str:
    return f"{ratio.center:.4f} (95 % interval {ratio.lo:.4f} to {ratio.hi:.4f})"


def main() -> int:
    load_before = os.getloadavg()[0]
    engine = DockerEngine(assets(), f"cost-of-looking-{os.getpid()}")
    try:
        figures = run(engine)
    finally:
        engine.close()
    outside, floors = False, {}
    for metric, arms in figures.items():
        twins = ratio_of(arms[TWIN], arms[ALONE])
        floors[metric] = reach(twins) or math.inf
        unwatched = {block: math.sqrt(arms[ALONE][block] * arms[TWIN][block]) for block in arms[ALONE]}
        watched, often = (ratio_of(arms[arm], unwatched) for arm in (WATCHED, OFTEN))
        inside = relative_difference(watched.center) <= floors[metric]
        outside |= not inside
        print(f"{metric}, against not watched: at 1 Hz {shown(watched)}, at 20 Hz {shown(often)}")
        print(f"  not watched twice: {shown(twins)}; 1 Hz is {'inside' if inside else 'OUTSIDE'} "
              f"this A/A floor of {floors[metric]:.1%}")  # fmt: skip
    facts = host.facts(Path.cwd())
    print(f"{BLOCKS} blocks, windows of {SCENARIO.measure_s:g} s, {VARIANT.id}")
    print(f"{facts['cpu_model']} x {facts['cpus_host']}, kernel {facts['kernel']}, load {load_before:.1f}")
    if floors[RATE] > WIDEST_FLOOR:
        print(f"the machine is too noisy to tell: a floor of {WIDEST_FLOOR:.0%} or less is needed")
        return 2
    return int(outside)


if __name__ == "__main__":
    sys.exit(main())
