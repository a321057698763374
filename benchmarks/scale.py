"""`harness report` on 10 million requests: `python benchmarks/scale.py`. At most 10 s and 1 GiB are promised.

Stores a synthetic run (4 variants and the twin, 2 scenarios, 10 blocks, 100,000 requests a trial) in a
temporary directory, then times the command on it: a first time with every import to be compiled, then
with the bytecode at hand. Exits 1 when any round is beyond a limit. About 40 s.
"""

from __future__ import annotations

import functools
import operator
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.random import Generator

from harness.adapters import host
from harness.adapters.result_store import RunStore
from harness.deployment import ResourceReading
from harness.measurement.load import LoadRecord
from harness.measurement.metrics import trial_metrics
from harness.model import ClosedLoad, Matrix, OpenLoad, Scenario, Trial, TrialRecord, Validity, Variant
from harness.planning.plan import cells_of, plan_blocks

LIMIT_S, LIMIT_BYTES = 10.0, 2**30
REQUESTS, BLOCKS, MEASURE_S = 100_000, 10, 20.0
ROUNDS = 3
RATE_PER_S = REQUESTS / MEASURE_S
SCENARIOS = tuple(
    Scenario(name=name, locustfile=name, load=load, warmup_s=1.0, measure_s=MEASURE_S, slo_ms=50.0)
    for name, load in (("items", ClosedLoad(clients=16)), ("root", OpenLoad(rate_per_s=RATE_PER_S)))
)
VARIANTS = tuple(
    Variant(recipe=recipe, workers=workers)
    for recipe in ("uvicorn-plain", "uvicorn-standard")
    for workers in (1, 2)
)
MATRIX = Matrix(
    name="scale",
    description="Synthetic: as many requests as a long run measures.",
    variants=VARIANTS,
    scenarios=SCENARIOS,
    baseline_id=VARIANTS[0].id,
    blocks=BLOCKS,
    seed=1,
    margin=0.03,
    budget_s=3600.0,
    ready_timeout_s=30.0,
    server_cpus=(1,),
    generator_cpus=(0,),
)


def synthetic_load(rng: Generator, median_s: float) -> LoadRecord:
    """REQUESTS Poisson arrivals in the window, each answered after a log-normal time."""
    start_s = rng.uniform(1e3, 1e5)
    intended_s = start_s + np.sort(rng.uniform(0.0, MEASURE_S, REQUESTS))
    sent_s = intended_s + rng.exponential(5e-5, REQUESTS)
    ids = range(1, REQUESTS + 1)
    return LoadRecord(
        window_start_s=start_s,
        window_end_s=start_s + MEASURE_S,
        intended_s=intended_s,
        sent_s=sent_s,
        finished_s=sent_s + rng.lognormal(np.log(median_s), 0.5, REQUESTS),
        status=np.full(REQUESTS, 200, dtype=np.int16),
        generator_cpu_share=rng.uniform(0.3, 0.5, int(MEASURE_S)),
        scheduled=REQUESTS,
        ok=REQUESTS,
        failed=0,
        timed_out=0,
        dropped=0,
        undrained=0,
        id_sum=sum(ids),
        id_xor=functools.reduce(operator.xor, ids),
    )


def synthetic_readings(start_s: float) -> tuple[ResourceReading, ...]:
    """One a second, from a second before the window to a second after."""
    return tuple(
        ResourceReading(
            at_s=start_s + second,
            cpu_s=0.9 * (second + 1),
            throttled_s=0.0,
            working_set_bytes=(60 + second) * 2**20,
            oom_kills=0,
            steal_s=0.0,
        )
        for second in range(-1, int(MEASURE_S) + 2)
    )


def store_trial(store: RunStore, trial: Trial, rng: Generator) -> None:
    variant, scenario = trial.cell.variant, trial.cell.scenario
    slow = 1.0 if variant.recipe == "uvicorn-plain" else 0.7
    load = synthetic_load(rng, 0.003 * slow * rng.lognormal(0.0, 0.01))
    readings = synthetic_readings(load.window_start_s)
    store.save_trial(trial.id, load, readings, log="")
    store.append(
        TrialRecord(
            trial_id=trial.id,
            variant_id=variant.id,
            scenario=scenario.name,
            block=trial.block,
            validity=Validity.VALID,
            reasons=(),
            metrics=trial_metrics(load, readings, scenario=scenario, before=None, after=None),
            facts=None,
            phases_s={"load": MEASURE_S},
            started_at="2026-01-01T00:00:00.000+00:00",
        )
    )


def synthetic_run(directory: Path) -> RunStore:
    manifest = {"engine": "docker", "started_at": "2026-01-01T00:00:00+00:00", "host": host.facts(directory)}
    store = RunStore.create(directory, "scale", manifest, MATRIX)
    rng = np.random.default_rng(1)
    for trial in plan_blocks(cells_of(MATRIX), blocks=BLOCKS, seed=1).trials:
        store_trial(store, trial, rng)
    return store


def seconds_to_report(run: Path, bytecode: Path) -> float:
    harness = Path(sys.executable).with_name("harness")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(bytecode)
    started_s = time.monotonic()
    done = subprocess.run(
        [harness, "report", run], env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    elapsed_s = time.monotonic() - started_s
    written = [Path(line) for line in done.stdout.splitlines()]
    assert "report.html" in {path.name for path in written}, done.stdout
    assert all(path.stat().st_size for path in written), done.stdout
    return elapsed_s


def main() -> int:
    with tempfile.TemporaryDirectory() as directory:
        store = synthetic_run(Path(directory))
        records = store.records()
        stored_bytes = sum(path.stat().st_size for path in store.path.rglob("*.npz"))
        cold_s, *warm_s = (seconds_to_report(store.path, Path(directory) / "bytecode") for _ in range(ROUNDS))
    # The kernel counts in KiB, and starts a child's peak at its parent's: this process stays small itself.
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak_bytes = used.ru_maxrss * 1024
    requests = sum(record.metrics.requests for record in records if record.metrics)
    print(f"{requests:,} requests in {len(records)} trials, {stored_bytes / 2**20:,.0f} MiB stored")
    later = ", ".join(f"{seconds:.2f}" for seconds in warm_s)
    print(f"first report, compiling every import: {cold_s:.2f} s; then {later} s")
    print(f"CPU time, mean of all: {(used.ru_utime + used.ru_stime) / ROUNDS:.2f} s")
    print(f"peak memory: {peak_bytes / 2**20:,.0f} MiB")
    print(f"limits: {LIMIT_S:g} s in every round, {LIMIT_BYTES / 2**20:,.0f} MiB")
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "pandas", "matplotlib"))
    print(f"{host.facts(Path.cwd())['cpu_model']} x {os.cpu_count()}, Linux {platform.release()}, Python "
          f"{platform.python_version()}, {packages}, load average {os.getloadavg()[0]:.1f}")  # fmt: skip
    return int(max(cold_s, *warm_s) > LIMIT_S or peak_bytes > LIMIT_BYTES)


if __name__ == "__main__":
    sys.exit(main())
