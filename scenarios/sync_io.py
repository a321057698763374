"""A blocking wait in a def endpoint: each one holds a thread of the pool."""

from scenarios.loadkit.request import Request, json_body
from scenarios.loadkit.user import LeanUser

WAIT_MS = 10


class SyncIo(LeanUser):
    requests = (
        Request(
            path=f"/io/sync?ms={WAIT_MS}",
            expect=json_body(lambda: {"waits": 1, "waited_ms": WAIT_MS}),
        ),
    )
