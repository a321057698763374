"""What trials on containers are run with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from harness.adapters.assets import assets
from harness.adapters.docker_engine import DockerEngine
from harness.adapters.host import cpu_split
from harness.adapters.load_process import ProcessLoadGenerator
from harness.adapters.system_clock import SystemClock
from harness.execution.equipment import Equipment
from harness.model import Cell, ClosedLoad, Scenario, Trial, Variant

ITEMS = Scenario(
    name="items", locustfile="items", load=ClosedLoad(clients=4), warmup_s=0.5, measure_s=3.0, slo_ms=500
)


def trial_of(variant: Variant) -> Trial:
    return Trial(cell=Cell(variant=variant, scenario=ITEMS), block=0)


@contextmanager
def bench_for(run_id: str, variant: Variant) -> Iterator[Equipment]:
    """Equipment on an engine of the run's own, which is closed on the way out."""
    engine = DockerEngine(assets(), run_id)
    server_cpus, generator_cpus = cpu_split()
    try:
        yield Equipment(
            engine=engine,
            generators=ProcessLoadGenerator(engine, image=engine.build("generator"), cpus=generator_cpus),
            clock=SystemClock(),
            images={variant.recipe: engine.build(variant.recipe)},
            server_cpus=server_cpus,
            ready_timeout_s=60,
            seed=1,
        )
    finally:
        engine.close()
