"""A light endpoint while another computes in a thread of the pool."""

from scenarios import root
from scenarios.loadkit.chain import sha256_chain
from scenarios.loadkit.request import Request, json_body
from scenarios.loadkit.user import LeanUser

ITERATIONS = 60_000
"""Some 25 ms: a report made while others wait."""


class BesideThread(LeanUser):
    requests = root.Root.requests
    beside = Request(
        path=f"/cpu/sync?iterations={ITERATIONS}",
        expect=json_body(lambda: {"digest": sha256_chain(ITERATIONS)}),
    )
