"""L1: who gets the engine's SIGTERM, the server or a shell in front of it that passes nothing on?"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any

from harness.adapters.docker_subject import RUNTIME_DIR
from harness.adapters.raw_client import Reply
from harness.experiments import Observation
from harness.lifecycle.probe import Probe, observation
from harness.lifecycle.rig import Rig, variant
from harness.lifecycle.traffic import FAULTS, fates, lost, replies_of, wait_path
from harness.planning.commands import server_argv

NAME = "command-form"
SERVER = variant("uvicorn-standard.w1")
GRACE_S = 10.0
"""What `docker stop` gives by default."""
IN_FLIGHT, REQUEST_S = 3, 1.0
SIDE_BY_SIDE = 10
"""They wait on the grace period, most of them, and need no CPU."""

_COMMAND = shlex.join(server_argv(SERVER))
FORMS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "exec-form": {},
        # What the engine makes of `CMD uvicorn ...`.
        "shell-form": {"argv": ("/bin/sh", "-c", _COMMAND)},
        # The start.sh that many images have, without an exec.
        "script-form": {
            "argv": ("/bin/sh", f"{RUNTIME_DIR}/start.sh"),
            "files": {"start.sh": f"echo starting\n{_COMMAND}\n"},
        },
    }
)


def observe(rig: Rig, subject: str) -> Iterator[Observation]:
    def story() -> tuple[float, int, list[Reply]]:
        with rig.server(SERVER, env=FAULTS, **FORMS[subject]) as server, ThreadPoolExecutor(1) as background:
            under_way = [server.client.sent(wait_path(REQUEST_S)) for _ in range(IN_FLIGHT)]
            server.wait_in_flight(IN_FLIGHT)
            stopping = background.submit(server.container.stop, GRACE_S)
            replies = replies_of(under_way, GRACE_S + REQUEST_S)
            return stopping.result(), server.container.exit_code(), replies

    stops_s, exit_codes, replies = zip(
        *rig.repeated(story, times=rig.repeats, side_by_side=SIDE_BY_SIDE), strict=True
    )
    every = [reply for some in replies for reply in some]
    losses = [lost(some) for some in replies]
    note = f"grace period {GRACE_S:g} s"
    yield observation(NAME, subject, "stop_s", "s", stops_s, note=note)
    yield observation(NAME, subject, "exit_code", "id", exit_codes)
    yield observation(
        NAME,
        subject,
        "lost_in_flight",
        "count",
        [lost(some) for some in replies],
        of=len(every),
        note=fates(every),
    )


PROBES = (
    Probe(
        name=NAME,
        claim="L1",
        subjects=tuple(FORMS),
        quantities=("stop_s", "exit_code", "lost_in_flight"),
        expected_s=20,
        observe=observe,
    ),
)
