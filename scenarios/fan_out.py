"""Five waits gathered in one request, like a page made of five upstream calls."""

from scenarios.loadkit.request import Request, json_body
from scenarios.loadkit.user import LeanUser

WAIT_MS = 10


class FanOut(LeanUser):
    requests = (
        Request(
            path=f"/io/fanout?ms={WAIT_MS}",
            expect=json_body(lambda: {"waits": 5, "waited_ms": WAIT_MS}),
        ),
    )
