"""L4: one of two workers hangs, in four ways. Does its supervisor notice, and how soon is it replaced?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from signal import SIGSTOP
from types import MappingProxyType

from harness.adapters.raw_client import Connection
from harness.errors import NotReady
from harness.experiments import Observation
from harness.lifecycle.probe import Probe, observation
from harness.lifecycle.rig import READY_S, Rig, Server, seconds_until, variant
from harness.lifecycle.traffic import FAULTS
from harness.model import Variant
from harness.planning.commands import impossible

WORKER_TIMEOUT_S = 3
FIXED_TIMEOUT_S = 5
"""What `fastapi run` leaves at uvicorn's own default."""
BOUND_IN_TIMEOUTS = 4
"""After so many times the timeout, "not yet" is told as "never"."""
REPEATS = 3
STARTING = "stuck-starting"
HANG_FILE = "hang"
"""In the runtime directory, for the target app: the first worker to find it never finishes its start."""

KINDS: Mapping[str, str | None] = MappingProxyType(
    {
        "stuck-blocked-loop": "/faults/block-loop",
        "stuck-held-gil": "/faults/hold-gil",
        "stuck-sigstop": None,
    }
)
"""The request that a worker does not come back from; None: it is stopped as a debugger stops a process."""


def observe(kind: str, rig: Rig, subject: str) -> Iterator[Observation]:
    tested = variant(subject, worker_timeout_s=WORKER_TIMEOUT_S)
    timeout_s = WORKER_TIMEOUT_S
    if impossible(tested):
        tested, timeout_s = variant(subject), FIXED_TIMEOUT_S
    bound_s = BOUND_IN_TIMEOUTS * timeout_s

    def story() -> float | None:
        if kind == STARTING:
            return _started_without_one(rig, tested, bound_s)
        with rig.server(tested, env=FAULTS) as server, server.client.open() as victim:
            stuck = _stuck_worker(server, victim, KINDS[kind], for_s=2 * bound_s)
            return seconds_until(lambda: server.replaced({stuck}), bound_s)

    times_s = rig.repeated(story, times=min(REPEATS, rig.repeats))
    note = f"the supervisor's timeout is {timeout_s} s; bound {bound_s} s"
    yield observation(kind, subject, "replaced_s", "s", times_s, note=note)


def _started_without_one(rig: Rig, tested: Variant, bound_s: float) -> float | None:
    """One worker's lifespan waits for ever; seconds from the other's first answer until all serve."""
    with rig.started(tested, env=FAULTS, files={HANG_FILE: ""}) as server:
        if seconds_until(server.ready, READY_S) is None:
            raise NotReady(tested.id, READY_S, "no 200 from /health/ready")
        return seconds_until(lambda: server.replaced(set()), bound_s)


def _stuck_worker(server: Server, victim: Connection, path: str | None, *, for_s: float) -> int:
    """Make one worker hang; its pid."""
    if path is None:
        # gunicorn never times a worker out before its first heartbeat (until then it compares the monotonic
        # clock with a file's wall-clock time), and the app is started before that.
        pid = server.answering_worker()
        server.container.signal_process(pid, SIGSTOP)
        return pid
    server.client.send(victim, f"{path}?ms={for_s * 1000:.0f}")
    server.wait_in_flight(1)
    # Whoever answers the probe reads the counters of all: the one with a request in hand hangs.
    return server.busiest_worker()


PROBES = tuple(
    Probe(
        name=kind,
        claim="L4",
        subjects=("uvicorn-standard.w2", "gunicorn-asgi.w2", "gunicorn-uvicorn.w2", "fastapi-run.w2"),
        quantities=("replaced_s",),
        expected_s=10,
        observe=partial(observe, kind),
    )
    for kind in (*KINDS, STARTING)
)
