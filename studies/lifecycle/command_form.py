"""L1: who gets the engine's SIGTERM, the server or a shell in front of it that passes nothing on?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from harness.adapters.controlled_container import RUNTIME_DIR
from harness.planning.commands import server_argv
from harness.planning.example import EXAMPLE
from studies.lifecycle.containers import FaultEquipment, variant
from studies.lifecycle.probe import Probe, observation
from studies.lifecycle.raw_client import Fate, Reply
from studies.lifecycle.traffic import FAULTS, counted, replies_of, visitors, wait_path
from studies.observations import Observation

NAME = "command-form"
SERVER = variant("uvicorn-standard.w1")
GRACE_S = 10.0
"""What `docker stop` gives by default."""
EVERY_S, REQUEST_S = 0.25, 1.0
"""About four requests are in flight at any time."""
SIDE_BY_SIDE = 10
"""They wait on the grace period, most of them, and need no CPU."""

_COMMAND = server_argv(SERVER, EXAMPLE)
FORMS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "exec-form": {},
        # What the engine makes of `CMD uvicorn ...`.
        "shell-form": {"argv": ("/bin/sh", "-c", " ".join(_COMMAND))},
        # The start.sh that many images have, without an exec.
        "script-form": {
            "argv": ("/bin/sh", f"{RUNTIME_DIR}/start.sh", *_COMMAND),
            "files": {"start.sh": 'echo starting\n"$@"\n'},
        },
    }
)


def observe(equipment: FaultEquipment, target: str) -> Iterator[Observation]:
    def scenario() -> tuple[float, int, list[Reply]]:
        with equipment.server(SERVER, env=FAULTS, **FORMS[target]) as server:
            with visitors(server.client, wait_path(REQUEST_S), every_s=EVERY_S) as under_way:
                server.wait_in_flight(2)
                stop_s = server.container.stop(GRACE_S)
            return stop_s, server.container.exit_code(), replies_of(under_way, REQUEST_S)

    stops_s, exit_codes, replies = zip(
        *equipment.repeated(scenario, times=equipment.repeats, side_by_side=SIDE_BY_SIDE), strict=True
    )
    yield observation(NAME, target, "stop_s", "s", stops_s, note=f"grace period {GRACE_S:g} s")
    yield observation(NAME, target, "exit_code", "id", exit_codes)
    # One that is refused was never in flight: the client knows at once, and goes elsewhere.
    taken_in = [[reply for reply in some if reply.fate is not Fate.REFUSED] for some in replies]
    yield counted(NAME, target, "lost_in_flight", taken_in)


PROBES = (
    Probe(
        name=NAME,
        claim="L1",
        targets=tuple(FORMS),
        quantities=("stop_s", "exit_code", "lost_in_flight"),
        expected_s=20,
        observe=observe,
    ),
)
