"""A server that has ended is not waited for; one that lives gets all its time."""

from __future__ import annotations

from typing import Any

import pytest

from harness.deployment import DeploymentState
from harness.errors import NotReady
from harness.execution.readiness import LOOK_S, wait_ready
from tests.fakes import FakeClock
from tests.samples import ITEMS


class Server:
    """Both the deployment and its generator: ready at one time, ended at another."""

    name = "trial-1"

    def __init__(self, clock: FakeClock, *, ready_s: float = 1e9, ended_s: float = 1e9) -> None:
        self.clock, self.ready_s, self.ended_s = clock, ready_s, ended_s

    def state(self) -> DeploymentState:
        return DeploymentState(running=self.clock.monotonic() < self.ended_s)

    def wait_ready(self, *, timeout_s: float, **_: object) -> None:
        until_s = self.clock.monotonic() + timeout_s
        if until_s < self.ready_s:
            self.clock.sleep(timeout_s)
            raise NotReady("trial-1", timeout_s, "connection refused")
        self.clock.sleep(max(0.0, self.ready_s - self.clock.monotonic()))


def wait(timeout_s: float, **times: float) -> float:
    """Seconds that it took."""
    clock = FakeClock()
    started_s = clock.monotonic()
    server: Any = Server(clock, **{name: started_s + time_s for name, time_s in times.items()})
    wait_ready(server, server, clock, workers=1, timeout_s=timeout_s, scenario=ITEMS, ready="/", inside=True)
    return clock.monotonic() - started_s


def test_a_slow_server_gets_all_its_time() -> None:
    assert wait(240, ready_s=200) == pytest.approx(200)


@pytest.mark.parametrize("timeout_s", [10, 30, 45, 240])
def test_the_time_that_was_given_is_the_time_that_is_said(timeout_s: float) -> None:
    with pytest.raises(NotReady, match=rf"trial-1: not ready within {timeout_s} s \(connection refused\)"):
        wait(timeout_s)


def test_a_server_that_has_ended_is_given_up_at_the_next_look() -> None:
    with pytest.raises(NotReady, match=rf"within {2 * LOOK_S:g} s"):
        wait(240, ended_s=LOOK_S + 2)
