"""An awaited wait: the event loop is free meanwhile."""

from scenarios.loadkit.request import Request, json_body
from scenarios.loadkit.user import LeanUser

WAIT_MS = 10


class AsyncIo(LeanUser):
    requests = (
        Request(
            path=f"/io/async?ms={WAIT_MS}",
            expect=json_body(lambda: {"waits": 1, "waited_ms": WAIT_MS}),
        ),
    )
