"""Readiness with a real Redis, previous steps, missing settings and forwarded headers, on real containers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing

import pytest

from harness.adapters.docker_engine import DockerEngine
from studies.lifecycle import missing_setting, proxy, readiness, start_up, stuck_worker
from studies.lifecycle.containers import FaultEquipment
from studies.lifecycle.probe import Probe
from studies.observations import Observation
from tests.conftest import PROJECT

pytestmark = [pytest.mark.engine, pytest.mark.alone]


@pytest.fixture(scope="module")
def equipment(docker_here: None) -> Iterator[FaultEquipment]:
    with closing(DockerEngine(PROJECT, f"test-lifecycle-{os.getpid()}")) as engine:
        yield FaultEquipment(
            engine, repeats=1, cpus=tuple(sorted(os.sched_getaffinity(0))), say=lambda _: None
        )


def observed(
    equipment: FaultEquipment, probes: tuple[Probe, ...], name: str, target: str
) -> dict[str, Observation]:
    (probe,) = (probe for probe in probes if probe.name == name)
    assert target in probe.targets
    seen = {observation.quantity: observation for observation in probe.observe(equipment, target)}
    assert set(seen) == set(probe.quantities)
    return seen


@pytest.mark.timeout(240)  # the images may have to be built first
@pytest.mark.parametrize(
    ("name", "ready"), [("dependency-down", 503), ("dependency-hung", 503), ("dependency-back", 200)]
)
def test_readiness_follows_the_dependency_and_liveness_does_not(
    equipment: FaultEquipment, name: str, ready: int
) -> None:
    seen = observed(equipment, readiness.PROBES, name, "uvicorn-standard.w1")
    assert seen["ready_status"].values == (ready,)
    assert seen["live_status"].values == (200,)
    assert seen["noticed_s"].values != (None,)


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("target", "believed"), [("trusted", 1), ("stranger", 0), ("off", 0)])
def test_forwarded_headers_are_believed_only_of_a_trusted_peer(
    equipment: FaultEquipment, target: str, believed: int
) -> None:
    seen = observed(equipment, proxy.PROBES, "proxy-headers", target)
    assert seen["scheme_forwarded"].values == seen["client_forwarded"].values == (believed,)


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("place", "runs"), [("entrypoint", 1), ("lifespan", 2)])
def test_a_previous_step_runs_once_or_in_every_worker(
    equipment: FaultEquipment, place: str, runs: int
) -> None:
    seen = observed(equipment, start_up.PROBES, "previous-step", f"{place}/uvicorn-standard.w2")
    assert seen["runs"].values == (runs,)
    assert seen["workers"].values == (2,)


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("kind", "replaced"), [("stuck-sigstop", True), ("stuck-starting", False)])
def test_a_stopped_worker_is_replaced_and_one_that_never_finishes_its_start_is_not(
    equipment: FaultEquipment, kind: str, replaced: bool
) -> None:
    seen = observed(equipment, stuck_worker.PROBES, kind, "gunicorn-uvicorn.w2")
    assert (seen["replaced_s"].values != (None,)) is replaced


@pytest.mark.timeout(240)
def test_one_process_without_its_setting_ends_and_says_which(equipment: FaultEquipment) -> None:
    seen = observed(equipment, missing_setting.PROBES, "missing-setting", "uvicorn-standard.w1")
    assert seen["exit_code"].values == (3,)
    assert seen["names_setting"].values == (1,)
