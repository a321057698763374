"""Every recipe once on a real container: start, probe from inside, verify, a short load, stop."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest

from harness.adapters.assets import assets
from harness.adapters.docker_engine import DockerEngine
from harness.adapters.host import cpu_split
from harness.adapters.load_process import ProcessLoadGenerator
from harness.adapters.system_clock import SystemClock
from harness.execution.equipment import Equipment, TrialOutcome
from harness.execution.trial import run_trial
from harness.model import OWN_COMMAND, Cell, ClosedLoad, Scenario, Trial, Validity, Variant
from harness.recipes import RECIPES, image_of

pytestmark = pytest.mark.engine

VERSIONED = Scenario(
    name="v", locustfile="versioned_items", load=ClosedLoad(clients=4), warmup_s=0, measure_s=1, slo_ms=500
)
NO_SERVER = "gunicorn-sync"
SERVERS = {
    "uvicorn-plain": "uvicorn 0.",
    "uvicorn-standard": "uvicorn 0.",
    "uvicorn-no-proxy-headers": "uvicorn 0.",
    "uvicorn-mounted": "uvicorn 0.",
    "uvicorn-zttp": "uvicorn 0.",
    "uvicorn-rloop": "uvicorn 0.",
    "uvicorn-reload": "uvicorn 0.",
    "uvicorn-tls": "uvicorn 0.",
    "nginx-plain": "uvicorn 0.",
    "nginx-tls": "uvicorn 0.",
    "nginx-replicas": "uvicorn 0.",
    "fastapi-run": "uvicorn 0.",
    "fastapi-run-no-proxy-headers": "uvicorn 0.",
    "granian": "granian 2.",
    "hypercorn": "hypercorn 0.",
    "gunicorn-asgi": "gunicorn 26",
    "gunicorn-asgi-pure": "gunicorn 26",
    "gunicorn-uvicorn": "gunicorn 26",
    "gunicorn-uvicorn-deprecated": "gunicorn 26",
}


@pytest.fixture(scope="module")
def equipment() -> Iterator[Equipment]:
    engine = DockerEngine(assets(), f"test-{uuid.uuid4().hex[:8]}")
    server_cpus, generator_cpus = cpu_split()
    try:
        recipes = (*SERVERS, NO_SERVER)
        stages = {image_of(recipe) for recipe in recipes}
        built = {stage: engine.build(stage) for stage in stages}
        yield Equipment(
            engine=engine,
            generators=ProcessLoadGenerator(engine, image=engine.build("generator"), cpus=generator_cpus),
            clock=SystemClock(),
            images={recipe: built[image_of(recipe)] for recipe in recipes},
            server_cpus=server_cpus,
            ready_timeout_s=60,
            seed=1,
        )
    finally:
        engine.close()


def measured(variant: Variant, equipment: Equipment) -> TrialOutcome:
    trial = Trial(cell=Cell(variant=variant, scenario=VERSIONED), block=1)
    return run_trial(trial, equipment, progress=lambda _: None)


def test_every_recipe_is_tried() -> None:
    assert {*SERVERS, NO_SERVER, OWN_COMMAND} == set(RECIPES)


@pytest.mark.parametrize("recipe", SERVERS)
def test_a_recipe_serves_as_it_is_described(recipe: str, equipment: Equipment) -> None:
    # With every level it has an option for away from its default: the probe must see them all.
    workers = 1 if "workers" in RECIPES[recipe].fixed else 2
    levels = {} if "keep_alive_s" in RECIPES[recipe].fixed else {"keep_alive_s": 7}
    record = measured(Variant(recipe=recipe, workers=workers, access_log=True, **levels), equipment).record
    # NOISY and GENERATOR-BOUND speak of the machine, not of the recipe.
    assert record.validity is not Validity.INVALID, record.reasons
    assert record.facts is not None
    assert record.facts.server.startswith(SERVERS[recipe])
    assert record.facts.keep_alive_s == levels.get("keep_alive_s", 5)
    assert record.metrics is not None
    assert record.metrics.requests > 0


@pytest.mark.parametrize("recipe", ["gunicorn-uvicorn", "hypercorn"])
def test_workers_that_are_replaced_on_purpose_are_no_fault(recipe: str, equipment: Equipment) -> None:
    variant = Variant(recipe=recipe, workers=2, max_requests=100)
    record = measured(variant, equipment).record
    assert record.validity is not Validity.INVALID, record.reasons
    assert record.worker_changes


def test_what_a_limited_server_refuses_is_counted_apart(equipment: Equipment) -> None:
    crowded = replace(VERSIONED, load=ClosedLoad(clients=20))
    variant = Variant(recipe="uvicorn-standard", workers=1, limit_concurrency=10)
    record = run_trial(
        Trial(cell=Cell(variant=variant, scenario=crowded), block=1), equipment, progress=lambda _: None
    ).record
    assert record.validity is not Validity.INVALID, record.reasons
    assert record.metrics is not None
    assert record.metrics.refused > 0
    assert record.metrics.errors == 0
    assert record.metrics.requests > 0


def test_a_server_that_breaks_on_every_request_is_found_out(equipment: Equipment) -> None:
    outcome = measured(Variant(recipe=NO_SERVER, workers=1), equipment)
    assert outcome.record.cannot_serve
    assert outcome.record.metrics is None
    assert "cannot serve this app" in outcome.record.reasons[0]
    assert "TypeError" in outcome.log
