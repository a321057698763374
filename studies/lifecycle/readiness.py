"""L6: a dependency goes away, hangs, comes back. What readiness and liveness say, and how soon."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

from harness.errors import TrialError
from harness.model import Variant
from harness.recipes.placeholders import PORT
from studies.lifecycle.containers import FaultEquipment, FaultServer, seconds_until, variant
from studies.lifecycle.probe import Probe, observation
from studies.observations import Observation

NOTICED_WITHIN_S = 10.0
ANSWERED_WITHIN_S = 5.0
"""The app gives a silent dependency 1 s before it answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """What the two endpoints said until readiness had changed, or for NOTICED_WITHIN_S."""

    ready_status: int | None
    live_status: int | None
    """200 only if it was 200 all the while."""
    after_s: float | None
    """Since the dependency changed; None when readiness never changed."""


def _down(equipment: FaultEquipment, target: str) -> Noticed:
    with _redis(equipment) as redis, _app(equipment, target, redis) as server:
        redis.container.signal_process(1, signal.SIGTERM)
        return _noticed(server, 503)


def _hung(equipment: FaultEquipment, target: str) -> Noticed:
    """The port stays open: the kernel goes on accepting for a process that is stopped."""
    with _redis(equipment) as redis, _app(equipment, target, redis) as server:
        redis.container.signal_process(1, signal.SIGSTOP)
        return _noticed(server, 503)


def _back(equipment: FaultEquipment, target: str) -> Noticed:
    with _redis(equipment) as redis, _app(equipment, target, redis) as server:
        redis.container.stop(grace_s=NOTICED_WITHIN_S)
        if (gone := _noticed(server, 503)).ready_status != 503:
            raise TrialError(f"{target}: /health/ready says {gone.ready_status} without its dependency")
        with _redis(equipment, port=str(redis.client.port)):
            return _noticed(server, 200)


def _redis(equipment: FaultEquipment, port: str = PORT) -> AbstractContextManager[FaultServer]:
    """A Redis on the host's loopback, by default at a free port of the engine's choice."""
    argv = ("redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no")
    return equipment.started(Variant(recipe="redis", workers=1, network="host"), argv=argv)


def _app(equipment: FaultEquipment, target: str, redis: FaultServer) -> AbstractContextManager[FaultServer]:
    """The app, ready because its dependency is."""
    return equipment.server(
        variant(target), env={"TARGET_DEPENDENCY": f"redis://127.0.0.1:{redis.client.port}"}
    )


def _noticed(server: FaultServer, status: int) -> Noticed:
    """Ask both until readiness gives `status`. Liveness counts as its first answer that is not 200."""
    ask = partial(server.client.look, within_s=ANSWERED_WITHIN_S)
    ready: list[int | None] = []
    live: list[int | None] = []

    def changed() -> bool:
        ready.append(ask("/health/ready").status)
        live.append(ask("/health/live").status)
        return ready[-1] == status

    after_s = seconds_until(changed, NOTICED_WITHIN_S)
    live_status = next((status for status in live if status != 200), 200)
    return Noticed(ready_status=ready[-1], live_status=live_status, after_s=after_s)


def _observe(
    scenario: Callable[[FaultEquipment, str], Noticed], probe: str, equipment: FaultEquipment, target: str
) -> Iterator[Observation]:
    seen = equipment.repeated(lambda: scenario(equipment, target), times=equipment.few)
    yield observation(probe, target, "ready_status", "id", [noticed.ready_status for noticed in seen])
    yield observation(probe, target, "live_status", "id", [noticed.live_status for noticed in seen])
    note = f"within {NOTICED_WITHIN_S:g} s"
    yield observation(probe, target, "noticed_s", "s", [noticed.after_s for noticed in seen], note=note)


def _probe(name: str, scenario: Callable[[FaultEquipment, str], Noticed]) -> Probe:
    return Probe(
        name=name,
        claim="L6",
        targets=("uvicorn-standard.w1",),
        quantities=("ready_status", "live_status", "noticed_s"),
        expected_s=12,
        observe=partial(_observe, scenario, name),
    )


PROBES = (
    _probe("dependency-down", _down),
    _probe("dependency-back", _back),
    _probe("dependency-hung", _hung),
)
