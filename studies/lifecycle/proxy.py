"""L11: X-Forwarded headers, from a peer that the server was told to trust and from one that it was not."""

from __future__ import annotations

from collections.abc import Iterator

from harness.errors import TrialError
from harness.planning.commands import server_argv
from harness.planning.example import EXAMPLE
from studies.lifecycle.containers import FaultEquipment, variant
from studies.lifecycle.probe import Probe, observation
from studies.lifecycle.raw_client import LOOPBACK, RawClient
from studies.observations import Observation

NAME = "proxy-headers"
STRANGER = "127.0.0.2"
"""Another address of this machine: all of 127.0.0.0/8 is loopback on Linux."""
SCHEME, CLIENT = "https", "203.0.113.7"
"""What the proxy says of the caller behind it (the address is one for documentation, RFC 5737)."""
FORWARDED = {"x-forwarded-proto": SCHEME, "x-forwarded-for": CLIENT}
TRUST = ("--forwarded-allow-ips", LOOPBACK)
SERVER = "uvicorn-standard.w1"
OTHERS = ("fastapi-run.w2", "gunicorn-asgi.w2", "gunicorn-uvicorn.w2")


def _observe(equipment: FaultEquipment, target: str) -> Iterator[Observation]:
    case, _, server_id = target.partition("/")
    tested = variant(server_id or SERVER)
    flags = ("--no-proxy-headers",) if case == "off" else TRUST
    source = STRANGER if case == "stranger" else None
    with equipment.server(tested, argv=(*server_argv(tested, EXAMPLE), *flags)) as server:
        client = RawClient(server.client.port, source=source)
        callers = [_caller(client, target) for _ in range(equipment.repeats)]
    for field, forwarded in (("scheme", SCHEME), ("client", CLIENT)):
        seen = sorted({str(caller[field]) for caller in callers})
        yield observation(
            NAME,
            target,
            f"{field}_forwarded",
            "yes",
            [float(caller[field] == forwarded) for caller in callers],
            note=f"{tested.id} {' '.join(flags)}, peer {source or LOOPBACK}: the app saw {', '.join(seen)}",
        )


def _caller(client: RawClient, target: str) -> dict[str, object]:
    """Scheme and client as the app sees them. Raises TrialError when it does not answer."""
    reply = client.look("/whoami", headers=FORWARDED)
    if not reply.ok:
        raise TrialError(f"{target}: /whoami {reply.fate} with status {reply.status}, not 200")
    return reply.json()


PROBES = (
    Probe(
        name=NAME,
        claim="L11",
        targets=(
            *("trusted", "stranger", "off"),
            # gunicorn has no switch for them, only addresses to trust.
            *(f"{case}/{server_id}" for server_id in OTHERS for case in ("trusted", "stranger")),
        ),
        quantities=("scheme_forwarded", "client_forwarded"),
        expected_s=4,
        observe=_observe,
    ),
)
