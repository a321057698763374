"""A wait so long that thousands of requests are in flight at modest rates."""

from scenarios.loadkit.request import Request, json_body
from scenarios.loadkit.user import LeanUser

WAIT_MS = 2500


class LongWait(LeanUser):
    requests = (
        Request(
            path=f"/io/async?ms={WAIT_MS}",
            expect=json_body(lambda: {"waits": 1, "waited_ms": WAIT_MS}),
        ),
    )
