"""A killed worker, a reload and a stop of a real server, once each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from signal import SIGKILL

import pytest

from harness.adapters.docker_engine import DockerEngine
from harness.errors import TrialError
from studies.lifecycle import graceful_stop, process_killed, reload
from studies.lifecycle.containers import FaultEquipment, seconds_until, variant
from studies.lifecycle.raw_client import Fate
from tests.conftest import PROJECT

pytestmark = [
    pytest.mark.engine,
    pytest.mark.alone,
    pytest.mark.timeout(240),  # the image may have to be built first
]
WITHIN_S = 30.0


@pytest.fixture(scope="module")
def equipment(docker_here: None) -> Iterator[FaultEquipment]:
    with closing(DockerEngine(PROJECT, f"test-stops-{os.getpid()}")) as engine:
        yield FaultEquipment(
            engine, repeats=1, cpus=tuple(sorted(os.sched_getaffinity(0))), say=lambda _: None
        )


def test_one_worker_is_killed_and_the_server_stopped(equipment: FaultEquipment) -> None:
    # The supervisor waits so long for a worker that dies with a ping in hand.
    with equipment.server(variant("uvicorn-standard.w2", worker_timeout_s=5)) as server:
        before = server.workers()
        assert len(before) == 2
        assert before < server.container.pids()
        server.container.signal_process(min(before), SIGKILL)
        assert seconds_until(lambda: server.replaced({min(before)}), WITHIN_S) is not None
        with pytest.raises(TrialError, match="ended before it got its SIGKILL"):
            server.container.signal_process(min(before), SIGKILL)
        server.container.stop(WITHIN_S)
        assert server.container.exit_code() == 0
        assert server.container.pids() == server.workers() == frozenset()
        assert server.client.look("/health").fate is Fate.REFUSED
        events = [line["event"] for line in server.lifespan()]
        assert (events.count("startup"), events.count("shutdown")) == (3, 2)


def test_requests_in_flight_survive_a_stop_and_a_reload(equipment: FaultEquipment) -> None:
    stop = graceful_stop.stop_scenario(equipment, variant("uvicorn-standard.w1"))
    assert [reply.fate for reply in stop.in_flight] == [Fate.ANSWERED] * graceful_stop.IN_FLIGHT
    assert stop.lifespans_ended
    reloaded = reload.reload_scenario(equipment, variant("uvicorn-standard.w2"))
    assert [reply.fate for reply in reloaded.in_flight] == [Fate.ANSWERED] * reload.IN_FLIGHT
    assert reloaded.new_code_served


@pytest.mark.parametrize(("target", "comes_back"), [("restart-always", True), ("restart-no", False)])
def test_a_container_comes_back_where_its_policy_says_so(
    equipment: FaultEquipment, target: str, comes_back: bool
) -> None:
    (seen,) = process_killed.observe(equipment, target)
    assert (seen.values[0] is not None) is comes_back
