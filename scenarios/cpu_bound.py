"""CPU work in a def endpoint: threads of the pool compete for the interpreter."""

from scenarios.loadkit.chain import sha256_chain
from scenarios.loadkit.request import Request, json_body
from scenarios.loadkit.user import LeanUser

ITERATIONS = 2_000


class CpuBound(LeanUser):
    requests = (
        Request(
            path=f"/cpu/sync?iterations={ITERATIONS}",
            expect=json_body(lambda: {"digest": sha256_chain(ITERATIONS)}),
        ),
    )
