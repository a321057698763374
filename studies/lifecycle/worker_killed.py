"""L3: one of two workers is killed under light load. Is it replaced, how soon, and what is lost meanwhile?"""

from __future__ import annotations

from collections.abc import Iterator
from signal import SIGKILL

from studies.lifecycle.containers import FaultEquipment, seconds_until, variant
from studies.lifecycle.probe import Probe, observation
from studies.lifecycle.raw_client import Reply
from studies.lifecycle.traffic import FAULTS, counted, replies_of, visitors, wait_path
from studies.observations import Observation

NAME = "worker-killed"
WITHIN_S = 15.0
EVERY_S, REQUEST_S = 0.05, 0.2
"""About four requests are in flight at any time, shared by two workers."""
ANSWER_S = 5.0
TIMEOUT_S = 5
"""The supervisor's patience, as `fastapi run` has it. uvicorn's waits so long for the pong of a worker that
dies with a ping in hand, and sees others die at its next look, every half second."""


def observe(equipment: FaultEquipment, target: str) -> Iterator[Observation]:
    levels = {} if target.startswith("fastapi-run") else {"worker_timeout_s": TIMEOUT_S}

    def scenario() -> tuple[float | None, list[Reply]]:
        with equipment.server(variant(target, **levels), env=FAULTS) as server:
            before = server.workers()
            with visitors(server.client, wait_path(REQUEST_S), every_s=EVERY_S) as under_way:
                server.wait_in_flight(2)
                server.container.signal_process(min(before), SIGKILL)
                replaced_s = seconds_until(lambda: server.replaced({min(before)}), WITHIN_S)
            return replaced_s, replies_of(under_way, ANSWER_S)

    times_s, replies = zip(*equipment.repeated(scenario, times=equipment.repeats), strict=True)
    note = f"until two workers serve again; the supervisor's timeout is {TIMEOUT_S} s; bound {WITHIN_S:g} s"
    yield observation(NAME, target, "replaced_s", "s", times_s, note=note)
    yield counted(NAME, target, "failed", replies)


PROBES = (
    Probe(
        name=NAME,
        claim="L3",
        targets=("uvicorn-standard.w2", "gunicorn-asgi.w2", "gunicorn-uvicorn.w2", "fastapi-run.w2"),
        quantities=("replaced_s", "failed"),
        expected_s=20,
        observe=observe,
    ),
)
