"""A long blocking wait in a def endpoint: 40 of them fill the thread pool."""

from scenarios.loadkit.request import Request, json_body
from scenarios.loadkit.user import LeanUser

WAIT_MS = 100


class SyncWait(LeanUser):
    requests = (
        Request(
            path=f"/io/sync?ms={WAIT_MS}",
            expect=json_body(lambda: {"waits": 1, "waited_ms": WAIT_MS}),
        ),
    )
