"""CPU work in an async def endpoint: everything else waits for it."""

from scenarios.loadkit.chain import sha256_chain
from scenarios.loadkit.request import Request, json_body
from scenarios.loadkit.user import LeanUser

ITERATIONS = 2_000


class CpuBlocking(LeanUser):
    requests = (
        Request(
            path=f"/cpu/async?iterations={ITERATIONS}",
            expect=json_body(lambda: {"digest": sha256_chain(ITERATIONS)}),
        ),
    )
