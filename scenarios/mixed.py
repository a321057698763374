"""A day in the life of an API: mostly reads, some waiting, a little computing."""

from dataclasses import replace

from scenarios import async_io, cpu_bound, items, payload, root
from scenarios.loadkit.user import LeanUser

SHARES = (
    (items.Items, 50),
    (root.Root, 20),
    (async_io.AsyncIo, 20),
    (payload.Payload, 5),
    (cpu_bound.CpuBound, 5),
)


class Mixed(LeanUser):
    requests = tuple(
        replace(request, weight=share) for scenario, share in SHARES for request in scenario.requests
    )
