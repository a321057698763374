"""L4: one of two workers hangs, in four ways. Does its supervisor notice, and how soon is it replaced?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from signal import SIGSTOP
from types import MappingProxyType

from harness.model import Variant
from harness.planning.commands import impossible
from harness.planning.example import EXAMPLE
from studies.lifecycle.containers import FaultEquipment, seconds_until, variant
from studies.lifecycle.probe import Probe, observation
from studies.lifecycle.traffic import FAULTS
from studies.observations import Observation

WORKER_TIMEOUT_S = 3
FIXED_TIMEOUT_S = 5
"""What `fastapi run` leaves at uvicorn's own default."""
BOUND_IN_TIMEOUTS = 4
"""After so many times the timeout, "not yet" is told as "never"."""
REPEATS = 3
HANG_FILE = "hang"
"""In the runtime directory, for the target app: the first worker to find it never finishes its start."""


def hangs_on(path: str, equipment: FaultEquipment, tested: Variant, bound_s: float) -> float | None:
    """A worker does not come back from a request. Seconds until it is replaced; None: not in time."""
    with equipment.server(tested, env=FAULTS) as server, server.client.open() as victim:
        server.client.send(victim, f"{path}?ms={2 * bound_s * 1000:.0f}")
        server.wait_in_flight(1)
        # Whoever answers the probe reads the counters of all: the one with a request in hand hangs.
        stuck = server.busiest_worker()
        return seconds_until(lambda: server.replaced({stuck}), bound_s)


def stopped(equipment: FaultEquipment, tested: Variant, bound_s: float) -> float | None:
    """A worker is stopped as a debugger stops a process."""
    with equipment.server(tested, env=FAULTS) as server:
        # gunicorn never times a worker out before its first heartbeat (until then it compares the monotonic
        # clock with a file's wall-clock time), and the app is started before that.
        stuck = server.answering_worker()
        server.container.signal_process(stuck, SIGSTOP)
        return seconds_until(lambda: server.replaced({stuck}), bound_s)


def never_started(equipment: FaultEquipment, tested: Variant, bound_s: float) -> float | None:
    """A worker's lifespan waits for ever; seconds from the other's first answer until all serve."""
    with equipment.started(tested, env=FAULTS, files={HANG_FILE: ""}) as server:
        server.wait_first_answer()
        return seconds_until(lambda: server.replaced(set()), bound_s)


SCENARIOS: Mapping[str, Callable[[FaultEquipment, Variant, float], float | None]] = MappingProxyType(
    {
        "stuck-blocked-loop": partial(hangs_on, "/faults/block-loop"),
        "stuck-held-gil": partial(hangs_on, "/faults/hold-gil"),
        "stuck-sigstop": stopped,
        "stuck-starting": never_started,
    }
)


def observe(kind: str, equipment: FaultEquipment, target: str) -> Iterator[Observation]:
    tested = variant(target, worker_timeout_s=WORKER_TIMEOUT_S)
    timeout_s = WORKER_TIMEOUT_S
    if impossible(tested, EXAMPLE):
        tested, timeout_s = variant(target), FIXED_TIMEOUT_S
    bound_s = BOUND_IN_TIMEOUTS * timeout_s
    times_s = equipment.repeated(
        partial(SCENARIOS[kind], equipment, tested, bound_s), times=min(REPEATS, equipment.repeats)
    )
    note = f"the supervisor's timeout is {timeout_s} s; bound {bound_s} s"
    yield observation(kind, target, "replaced_s", "s", times_s, note=note)


PROBES = tuple(
    Probe(
        name=kind,
        claim="L4",
        targets=("uvicorn-standard.w2", "gunicorn-asgi.w2", "gunicorn-uvicorn.w2", "fastapi-run.w2"),
        quantities=("replaced_s",),
        expected_s=10,
        observe=partial(observe, kind),
    )
    for kind in SCENARIOS
)
