"""What slices are worth: `python benchmarks/slices.py [RUNS]`, some four minutes a run (5 runs if not said).

Servers compute a chain of hashes for each answer: two are alike, a third one's chain is 5 % longer. Each run
measures them twice for the same time under load: in slices that take turns, and as whole trials one after the
other. The block with its fresh containers is the unit of replication in both.

The known ratio is that of the CPU time per request: the chain is 5 % longer, what surrounds it is the same.
How much that is, a fourth server tells, whose chain is half as long.

With a word instead of a number:

many    the A/A interval of a pair alone and among six more servers; about ten minutes
idle    what seven idle neighbours take from a server at work, each `uvicorn[standard]` with the example app:
        in every other window the neighbours are frozen; about two minutes
curve   how wide the intervals are by the length of a slice, over the same time in one set of containers;
        about seven minutes
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from statistics import geometric_mean, median

import docker
import numpy as np

from harness.adapters import host
from harness.adapters.assets import assets
from harness.adapters.docker_engine import DockerEngine
from harness.adapters.load_process import ProcessLoadGenerator
from harness.adapters.proc import busy_s
from harness.adapters.system_clock import SystemClock
from harness.analysis.intervals import paired_ratio
from harness.deployment import DeploymentSpec
from harness.execution.equipment import Equipment, TrialOutcome
from harness.execution.server import Row, Server, SpecOf, server_for
from harness.execution.side_by_side import drive_in_turns, run_side_by_side
from harness.execution.trial import run_trial
from harness.findings import Summary
from harness.measurement.metrics import throughput_by_span
from harness.model import Cell, ClosedLoad, Scenario, Trial, Variant
from harness.planning.slices import Cut

RUNS, BLOCKS, MEASURE_S = 5, 6, 3.0
RUNS_OF_MANY, NEIGHBOURS, WINDOWS = 2, 7, 40
LENGTH, EFFECT = 400, 0.05
"""Of the chain: some 0.2 ms, as long as a light endpoint takes."""
CURVE_S, CURVE = 20.0, (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
LOAD = Scenario(
    name="chain",
    locustfile="root",
    load=ClosedLoad(clients=8),
    warmup_s=0.5,
    measure_s=MEASURE_S,
    slo_ms=50.0,
)
OTHERS = tuple(f"other-{number}" for number in range(1, 7))
LENGTHS = {
    "base": LENGTH,
    "alike": LENGTH,
    "slower": round(LENGTH * (1 + EFFECT)),
    "half": LENGTH // 2,
    **dict.fromkeys(OTHERS, LENGTH),
}
COMPARED = ("base", "alike", "slower", "half")

SERVER = """
from hashlib import sha256
from scenarios.loadkit import static_server

answer = static_server.StaticServer.data_received

def compute(self, data):
    digest = b"chain"
    for _ in range(%d):
        digest = sha256(digest).digest()
    answer(self, data)

static_server.StaticServer.data_received = compute
static_server.main()
"""

Measure = Callable[[Sequence[Trial], Equipment, SpecOf], Sequence[TrialOutcome]]


@dataclass(frozen=True, slots=True)
class Found:
    """Each a ratio to the base, of the throughput."""

    alike: Summary
    slower: Summary
    truth: float
    """What the slower one's ratio would be without noise, from the CPU time of the half as long chain."""

    def __str__(self) -> str:
        return (
            f"A/A {self.alike.center:.3f} +-{width(self.alike):.1%}   slower {self.slower.center:.3f} "
            f"({self.slower.lo:.3f}-{self.slower.hi:.3f}; true {self.truth:.3f})   "
            f"{'found' if found(self.slower) else 'not found'}"
        )


def width(ratio: Summary) -> float:
    """Half of the interval, relative to its centre."""
    assert ratio.lo is not None
    assert ratio.hi is not None
    return math.sqrt(ratio.hi / ratio.lo) - 1


def found(ratio: Summary) -> bool:
    """The interval lies below 1."""
    return ratio.hi is not None and ratio.hi < 1


def holds(ratio: Summary, truth: float) -> bool:
    return ratio.lo is not None and ratio.hi is not None and ratio.lo <= truth <= ratio.hi


def in_slices(trials: Sequence[Trial], equipment: Equipment, spec_of: SpecOf) -> Sequence[TrialOutcome]:
    with Row(equipment, spec_of) as row:
        return run_side_by_side(trials, equipment, row, progress=lambda _: None)


def one_by_one(trials: Sequence[Trial], equipment: Equipment, spec_of: SpecOf) -> Sequence[TrialOutcome]:
    return [run_trial(trial, equipment, progress=lambda _: None, spec_of=spec_of) for trial in trials]


def measured(
    measure: Measure,
    equipment: Equipment,
    image: str,
    order: np.random.Generator,
    servers: Sequence[str] = COMPARED,
) -> tuple[dict[str, dict[int, float]], dict[str, list[float]]]:
    """Requests/s by server and block, and CPU milliseconds per request by server, of one run."""
    per_s: dict[str, dict[int, float]] = {name: {} for name in servers}
    cpu_ms: dict[str, list[float]] = {name: [] for name in servers}
    for block in range(1, BLOCKS + 1):
        names = order.permutation(list(servers)).tolist()
        trials = [Trial(cell=Cell(variant=variant_of(name), scenario=LOAD), block=block) for name in names]
        for name, outcome in zip(names, measure(trials, equipment, chains(equipment, image)), strict=True):
            if metrics := outcome.record.metrics:
                per_s[name][block] = metrics.throughput_per_s
                cpu_ms[name].append(metrics.cpu_ms_per_request or math.nan)
    return per_s, cpu_ms


def found_in(per_s: Mapping[str, Mapping[int, float]], cpu_ms: Mapping[str, Sequence[float]]) -> Found:
    """A trial that was spoilt leaves its block without a pair."""
    base, half = (float(np.nanmean(cpu_ms[name])) for name in ("base", "half"))
    chain = (base - half) / (LENGTH - LENGTHS["half"])
    ratios = [paired_ratio(per_s[name], per_s["base"]) for name in ("alike", "slower")]
    alike, slower = (pair.ratio for pair in ratios if pair is not None)
    return Found(alike, slower, base / (base + chain * (LENGTHS["slower"] - LENGTH)))


def variant_of(name: str) -> Variant:
    return Variant(recipe=name, workers=1)


def chains(equipment: Equipment, image: str) -> SpecOf:
    """How the server of each name in LENGTHS is started."""

    def spec_of(trial: Trial) -> DeploymentSpec:
        argv = ("python", "-c", SERVER % LENGTHS[trial.cell.variant.recipe], "--port", "{port}")
        return DeploymentSpec(name=trial.id, image=image, argv=argv, env={}, cpus=equipment.server_cpus)

    return spec_of


@contextmanager
def ready_bench() -> Iterator[tuple[Equipment, str]]:
    """Equipment on an engine of its own, and the image of the servers, which is the load generator's."""
    server_cpus, generator_cpus = host.cpu_split()
    engine = DockerEngine(assets(), "benchmark-slices")
    try:
        image = engine.build("generator")
        with host.pinned_to(generator_cpus):
            yield (
                Equipment(
                    engine=engine,
                    generators=ProcessLoadGenerator(engine, image=image, cpus=generator_cpus),
                    clock=SystemClock(),
                    images={},
                    server_cpus=server_cpus,
                    ready_timeout_s=30.0,
                    seed=1,
                    busy_s=busy_s,
                ),
                image,
            )
    finally:
        engine.close()


def compare(runs: int) -> int:
    ways: dict[str, Measure] = {"slices": in_slices, "trials": one_by_one}
    results: dict[str, list[Found]] = {name: [] for name in ways}
    print(f"{runs} runs of {BLOCKS} blocks, {MEASURE_S:g} s under load for each server and block", flush=True)
    with ready_bench() as (equipment, image):
        for run in range(runs):
            for name in list(ways) if run % 2 else list(reversed(ways)):
                order = np.random.default_rng(run)
                results[name].append(found_in(*measured(ways[name], equipment, image, order)))
                print(f"run {run + 1}, {name}: {results[name][-1]}", flush=True)
    for name, every in results.items():
        truth = geometric_mean(result.truth for result in every)
        inside = sum(holds(result.slower, result.truth) + holds(result.alike, 1.0) for result in every)
        print(
            f"{name}: A/A +-{median(width(result.alike) for result in every):.2%} in the median; slower "
            f"{geometric_mean(result.slower.center for result in every):.4f} where {truth:.4f} is true, "
            f"found in {sum(found(result.slower) for result in every)} of {runs}; the truth inside the "
            f"interval in {inside} of {2 * runs}"
        )
    narrower = [
        width(trials.alike) / width(slices.alike)
        for trials, slices in zip(results["trials"], results["slices"], strict=True)
    ]
    print(f"A/A interval of slices: {median(narrower):.1f}x narrower in the median")
    return 0


def many() -> int:
    """In turns: a pair of equal servers alone, and among six more."""
    widths: dict[int, list[float]] = {2: [], 8: []}
    with ready_bench() as (equipment, image):
        for run in range(RUNS_OF_MANY):
            for count in widths:
                servers = ("base", "alike", *OTHERS)[:count]
                per_s, _ = measured(in_slices, equipment, image, np.random.default_rng(run), servers)
                pair = paired_ratio(per_s["alike"], per_s["base"])
                assert pair is not None
                widths[count].append(width(pair.ratio))
                print(f"{count} servers: A/A {pair.ratio.center:.3f} +-{widths[count][-1]:.2%}", flush=True)
    return 0


def idle() -> int:
    """One of eight is under load all the time, window after window."""
    variant = Variant(recipe="uvicorn-standard", workers=1)
    load = replace(LOAD, name="items", locustfile="items", warmup_s=0.1, measure_s=0.5)
    trial = Trial(cell=Cell(variant=variant, scenario=load), block=1)
    with ready_bench() as (equipment, _), ExitStack() as stack:
        equipment = replace(equipment, images={variant.recipe: equipment.engine.build(variant.recipe)})
        worker, *neighbours = started([trial] * (1 + NEIGHBOURS), equipment, stack)
        worker.generator.drive(load, seed=1, progress=lambda _: None)
        client = docker.from_env()
        containers = [client.containers.get(server.deployment.container_id) for server in neighbours]
        per_s: dict[bool, dict[int, float]] = {True: {}, False: {}}
        spent_s = idle_s = 0.0
        order = np.random.default_rng(1)
        for number in range(WINDOWS):
            for frozen in order.permutation([True, False]).tolist():
                for container in containers if frozen else ():
                    container.pause()
                before = [server.deployment.reading() for server in neighbours]
                driven = worker.generator.drive(load, seed=number, progress=lambda _: None)
                after = [server.deployment.reading() for server in neighbours]
                per_s[frozen][number] = throughput_by_span(driven)[0]
                if not frozen:
                    spent_s += sum(b.cpu_s - a.cpu_s for a, b in zip(before, after, strict=True))
                    idle_s += after[0].at_s - before[0].at_s
                for container in containers if frozen else ():
                    container.unpause()
    pair = paired_ratio(per_s[False], per_s[True])
    assert pair is not None
    print(
        f"{WINDOWS} pairs of windows: among {NEIGHBOURS} idle neighbours {pair.ratio.center:.4f} "
        f"({pair.ratio.lo:.4f}-{pair.ratio.hi:.4f}) of the requests/s that it has with all of them frozen; "
        f"they used {spent_s / idle_s:.2%} of the core, all together"
    )
    return 0


def curve() -> int:
    """Widths as if 60 s had been measured, from the spread of the rounds of one set of containers."""
    names = ("base", "alike", "slower")
    with ready_bench() as (equipment, image), ExitStack() as stack:
        trials = [Trial(cell=Cell(variant=variant_of(name), scenario=LOAD), block=1) for name in names]
        servers = started(trials, equipment, stack, chains(equipment, image))
        for server in servers:
            server.generator.drive(LOAD, seed=1, progress=lambda _: None)
        for slice_s in CURVE:
            per_s = _rounds(servers, slice_s, equipment)
            spread = [np.log(per_s[place] / per_s[0]) for place in (1, 2)]
            widths = [1.96 * float(logs.std(ddof=1)) / math.sqrt(60.0 / slice_s) for logs in spread]
            ratios = [per_s[place].sum() / per_s[0].sum() for place in (1, 2)]
            print(
                f"{slice_s:5g} s x {per_s[0].size:4}: {per_s[0].mean():6,.0f} requests/s; alike "
                f"{ratios[0]:.4f} +-{widths[0]:.2%}; slower {ratios[1]:.4f} +-{widths[1]:.2%}",
                flush=True,
            )
    return 0


def started(
    trials: Sequence[Trial], equipment: Equipment, stack: ExitStack, spec_of: SpecOf | None = None
) -> list[Server]:
    """Servers that serve, until the stack is left."""
    servers = [
        server_for(trial, equipment, name=f"{trial.id}.{place}", spec_of=spec_of)
        for place, trial in enumerate(trials)
    ]
    for server, trial in zip(servers, trials, strict=True):
        stack.callback(server.stop)
        server.start()
        server.await_ready(trial)
    return servers


def _rounds(servers: Sequence[Server], slice_s: float, equipment: Equipment) -> list[np.ndarray]:
    """Requests/s of each slice, for each of the servers."""
    cut = Cut(slice_s=slice_s, gap_s=0.015)
    generators = [server.generator for server in servers]
    load = replace(LOAD, measure_s=CURVE_S)
    return [
        throughput_by_span(driven)
        for driven in drive_in_turns(generators, load, cut, seed=1, clock=equipment.clock)
    ]


if __name__ == "__main__":
    ways = {"curve": curve, "many": many, "idle": idle}
    wanted = sys.argv[1] if len(sys.argv) > 1 else str(RUNS)
    sys.exit(ways[wanted]() if wanted in ways else compare(int(wanted)))
