"""L7: a new release is deployed and the server told to reload. Does it serve it, and what do clients lose?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from signal import SIGHUP

from harness.model import Variant
from studies.lifecycle.containers import FaultEquipment, FaultServer, seconds_until, variant
from studies.lifecycle.probe import Probe, observation
from studies.lifecycle.raw_client import Reply
from studies.lifecycle.traffic import (
    FAULTS,
    Regular,
    counted,
    fates,
    lost,
    replies_of,
    steadily,
    visitors,
    wait_path,
)
from studies.observations import Observation

NAME = "reload-hup"
OLD, NEW = "1", "2"
RELEASE_FILE = "release"
WITHIN_S = 30.0
IN_FLIGHT, REQUEST_S = 3, 1.0
KEEP_ALIVE, THINK_S = 3, 0.05
NEW_EVERY_S, SHORT_S = 0.05, 0.02
ASKED = 8
"""How often the release is asked for afterwards: every worker should have its turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """One reload, and what came of the requests of each kind."""

    reload_s: float | None
    """Until all workers are new ones."""
    keep_alive: list[list[Reply]]
    """By client."""
    closed: int
    """How many keep-alive clients had their connection ended between two requests."""
    new: list[Reply]
    in_flight: list[Reply]
    new_code_served: bool


def reload_scenario(equipment: FaultEquipment, tested: Variant) -> Reload:
    with equipment.server(tested, env=FAULTS, files={RELEASE_FILE: OLD}) as server, ExitStack() as traffic:
        before = server.workers()
        under_way = [server.client.sent(wait_path(REQUEST_S)) for _ in range(IN_FLIGHT)]
        server.wait_in_flight(IN_FLIGHT)
        new = traffic.enter_context(visitors(server.client, wait_path(SHORT_S), every_s=NEW_EVERY_S))
        regulars = [_regular(server, traffic) for _ in range(KEEP_ALIVE)]
        (server.container.runtime_dir / RELEASE_FILE).write_text(NEW)
        server.container.send_signal(SIGHUP)
        reload_s = seconds_until(lambda: server.replaced(before), WITHIN_S)
        traffic.close()
        return Reload(
            reload_s=reload_s,
            keep_alive=[regular.replies for regular in regulars],
            closed=sum(regular.closed > 0 for regular in regulars),
            new=replies_of(new, WITHIN_S),
            in_flight=replies_of(under_way, WITHIN_S),
            new_code_served=all(_serves_new(server) for _ in range(ASKED)),
        )


def observe(equipment: FaultEquipment, target: str) -> Iterator[Observation]:
    reloads = equipment.repeated(lambda: reload_scenario(equipment, variant(target)), times=equipment.repeats)
    yield from _counts(target, reloads)
    served = [float(reload.new_code_served) for reload in reloads]
    yield observation(NAME, target, "new_code_served", "yes", served, note="by every worker that was asked")
    note = f"until all workers are new ones; bound {WITHIN_S:g} s"
    yield observation(NAME, target, "reload_s", "s", [reload.reload_s for reload in reloads], note=note)


def _counts(target: str, reloads: list[Reload]) -> Iterator[Observation]:
    yield counted(NAME, target, "lost_new", [reload.new for reload in reloads])
    yield counted(NAME, target, "lost_in_flight", [reload.in_flight for reload in reloads])
    clients = KEEP_ALIVE * len(reloads)
    losers = [sum(lost(replies) > 0 for replies in reload.keep_alive) for reload in reloads]
    their = fates(reply for reload in reloads for replies in reload.keep_alive for reply in replies)
    note = f"clients that lost a request; all their requests: {their}"
    yield observation(NAME, target, "lost_keep_alive", "count", losers, of=clients, note=note)
    closed = [reload.closed for reload in reloads]
    note = "clients whose connection was ended between two requests, so that they had to make another"
    yield observation(NAME, target, "closed_keep_alive", "count", closed, of=clients, note=note)


def _regular(server: FaultServer, traffic: ExitStack) -> Regular:
    regular = Regular(server.client, wait_path(SHORT_S), within_s=WITHIN_S)
    traffic.callback(regular.leave)
    traffic.enter_context(steadily(regular.request, THINK_S))
    return regular


def _serves_new(server: FaultServer) -> bool:
    reply = server.client.look("/faults/release")
    return reply.ok and reply.json().get("release") == NEW


PROBES = (
    Probe(
        name=NAME,
        claim="L7",
        targets=("uvicorn-standard.w2", "gunicorn-asgi.w2", "gunicorn-uvicorn.w2", "fastapi-run.w2"),
        quantities=(
            *("lost_keep_alive", "closed_keep_alive", "lost_new", "lost_in_flight"),
            *("new_code_served", "reload_s"),
        ),
        expected_s=25,
        observe=observe,
    ),
)
