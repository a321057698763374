"""L8: how soon a fresh container serves, and how often a step that must precede the app is run."""

from __future__ import annotations

import time
from collections.abc import Iterator

from harness.planning.commands import server_argv
from harness.planning.example import EXAMPLE
from studies.lifecycle.containers import FaultEquipment, variant
from studies.lifecycle.probe import Probe, observation
from studies.observations import Observation

START_UP, PREVIOUS_STEP = "start-up", "previous-step"
TARGETS = (
    *("uvicorn-standard.w1", "uvicorn-standard.w2", "uvicorn-standard.w4"),
    *("gunicorn-asgi.w2", "gunicorn-uvicorn.w2", "fastapi-run.w2"),
)
ENTRYPOINT, LIFESPAN = "entrypoint", "lifespan"
MIGRATE_THEN_SERVE = ("sh", "-c", 'python -m target_app.migrate && exec "$0" "$@"')


def _cold_start(equipment: FaultEquipment, target: str) -> tuple[float, float]:
    """Seconds from asking the engine for a container to the first 200, and to all workers serving."""
    started_s = time.monotonic()
    with equipment.started(variant(target)) as server:
        server.wait_first_answer()
        first_200_s = time.monotonic() - started_s
        server.wait_ready()
        return first_200_s, time.monotonic() - started_s


def _start_up(equipment: FaultEquipment, target: str) -> Iterator[Observation]:
    equipment.image(variant(target).recipe)
    # One after another: side by side they would share the cores, and be slow together.
    first_200_s, all_workers_s = zip(
        *(_cold_start(equipment, target) for _ in range(equipment.few)), strict=True
    )
    note = "from asking the engine for the container, its image at hand"
    yield observation(START_UP, target, "first_200_s", "s", first_200_s, note=note)
    yield observation(START_UP, target, "all_workers_s", "s", all_workers_s, note=note)


def _previous_step(equipment: FaultEquipment, target: str) -> Iterator[Observation]:
    place, _, server_id = target.partition("/")
    seen = equipment.repeated(lambda: _steps_and_workers(equipment, place, server_id), times=equipment.few)
    runs, workers = zip(*seen, strict=True)
    yield observation(PREVIOUS_STEP, target, "runs", "count", runs, note="per container")
    yield observation(PREVIOUS_STEP, target, "workers", "count", workers, note="per container")


def _steps_and_workers(equipment: FaultEquipment, place: str, server_id: str) -> tuple[int, int]:
    """How often the step ran in one container, and how many workers that container has."""
    tested = variant(server_id)
    in_lifespan = place == LIFESPAN
    argv = server_argv(tested, EXAMPLE)
    if not in_lifespan:
        argv = (*MIGRATE_THEN_SERVE, *argv)
    env = {"TARGET_MIGRATE_IN_LIFESPAN": str(in_lifespan).lower()}
    with equipment.server(tested, argv=argv, env=env) as server:
        return len(server.migrations()), len(server.workers())


PROBES = (
    Probe(
        name=START_UP,
        claim="L8",
        targets=TARGETS,
        quantities=("first_200_s", "all_workers_s"),
        expected_s=15,
        observe=_start_up,
    ),
    Probe(
        name=PREVIOUS_STEP,
        claim="L8",
        targets=tuple(
            f"{place}/{server_id}" for place in (ENTRYPOINT, LIFESPAN) for server_id in TARGETS[1:]
        ),
        quantities=("runs", "workers"),
        expected_s=8,
        observe=_previous_step,
    ),
)
