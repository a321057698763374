"""L2: what do clients lose while a server stops? In flight, on idle connections, newly come."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from harness.errors import TrialError
from harness.model import Variant
from studies.lifecycle.containers import FaultEquipment, FaultServer, variant
from studies.lifecycle.probe import Probe, observation
from studies.lifecycle.raw_client import Connection, Fate, Reply
from studies.lifecycle.traffic import FAULTS, counted, fates, lost, replies_of, wait_path
from studies.observations import Observation

NAME = "graceful-stop"
GRACE_S = 15.0
"""Longer than the servers' own bound, so that it is they who end it."""
GRACEFUL_S = 5
"""The servers' own bound, where they have one."""
IN_FLIGHT, REQUEST_S = 3, 2.0
IDLE = 2
NEWCOMERS_AT_S = (0.3, 0.6, 0.9, 1.2)
"""After the stop began; the requests in flight keep it going for longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One stop, and what came of the requests of each kind."""

    stop_s: float
    exit_code: int
    in_flight: list[Reply]
    idle: list[Reply]
    """Only of those connections that still looked open when they were used."""
    new: list[Reply]
    lifespans_ended: bool


def stop_scenario(equipment: FaultEquipment, tested: Variant) -> Stop:
    """Start a server, get it busy, stop it, and go on as clients would."""
    with equipment.server(tested, env=FAULTS) as server, ThreadPoolExecutor(1) as background:
        idle = [_used_once(server) for _ in range(IDLE)]
        under_way = [server.client.sent(wait_path(REQUEST_S)) for _ in range(IN_FLIGHT)]
        server.wait_in_flight(IN_FLIGHT)
        stopping = background.submit(server.container.stop, GRACE_S)
        began_s = time.monotonic()
        newcomers = []
        for at_s in NEWCOMERS_AT_S:
            time.sleep(max(0.0, began_s + at_s - time.monotonic()))
            newcomers.append(server.client.sent(wait_path(0)))
        still_open = [connection for connection in idle if not connection.ended]
        for connection in still_open:
            server.client.send(connection, wait_path(0))
        answers = replies_of([*under_way, *still_open, *newcomers], GRACE_S)
        stop_s = stopping.result()
        events = [line["event"] for line in server.lifespan()]
        return Stop(
            stop_s=stop_s,
            exit_code=server.container.exit_code(),
            in_flight=answers[:IN_FLIGHT],
            idle=answers[IN_FLIGHT : -len(newcomers)],
            new=answers[-len(newcomers) :],
            lifespans_ended=events.count("shutdown") == events.count("startup"),
        )


def observe(equipment: FaultEquipment, target: str) -> Iterator[Observation]:
    levels = {} if target.startswith("fastapi-run") else {"graceful_timeout_s": GRACEFUL_S}
    stops = equipment.repeated(
        lambda: stop_scenario(equipment, variant(target, **levels)), times=equipment.repeats
    )
    yield from _counts(target, stops)
    ended = [float(stop.lifespans_ended) for stop in stops]
    yield observation(NAME, target, "lifespan_shutdown", "yes", ended, note="in every worker that started")
    bound = "its own bound: none" if not levels else f"its own bound: {GRACEFUL_S} s"
    note = f"requests in flight take {REQUEST_S:g} s; {bound}"
    yield observation(NAME, target, "stop_s", "s", [stop.stop_s for stop in stops], note=note)
    yield observation(NAME, target, "exit_code", "id", [stop.exit_code for stop in stops])


def _counts(target: str, stops: list[Stop]) -> Iterator[Observation]:
    yield counted(NAME, target, "lost_in_flight", [stop.in_flight for stop in stops])
    newcomers = len(NEWCOMERS_AT_S) * len(stops)
    refused = [sum(reply.fate is Fate.REFUSED for reply in stop.new) for stop in stops]
    lost_new = [lost(stop.new) - count for stop, count in zip(stops, refused, strict=True)]
    note = fates(reply for stop in stops for reply in stop.new)
    yield observation(NAME, target, "lost_new", "count", lost_new, of=newcomers, note=note)
    yield observation(NAME, target, "refused_new", "count", refused, of=newcomers)
    yield counted(NAME, target, "lost_idle", [stop.idle for stop in stops])
    closed = [IDLE - len(stop.idle) for stop in stops]
    note = "ended by the server before they were used, so that the client had to make another"
    yield observation(NAME, target, "closed_idle", "count", closed, of=IDLE * len(stops), note=note)


def _used_once(server: FaultServer) -> Connection:
    """A keep-alive connection that has had its first answer. Raises TrialError when it has not."""
    connection = server.client.open()
    server.client.send(connection, wait_path(0))
    reply = connection.reply(REQUEST_S)
    if not reply.ok:
        raise TrialError(
            f"{server.container.name}: the first request was {reply.fate}, status {reply.status}"
        )
    return connection


PROBES = (
    Probe(
        name=NAME,
        claim="L2",
        targets=(
            "uvicorn-standard.w1",
            "uvicorn-standard.w2",
            "gunicorn-asgi.w2",
            "gunicorn-uvicorn.w2",
            "fastapi-run.w2",
        ),
        quantities=(
            *("lost_in_flight", "lost_new", "refused_new", "lost_idle", "closed_idle"),
            *("lifespan_shutdown", "stop_s", "exit_code"),
        ),
        expected_s=25,
        observe=observe,
    ),
)
