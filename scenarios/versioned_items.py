"""`items` under /v1: a route of the one app, or of a sub-application that is mounted there."""

from dataclasses import replace

from scenarios import items
from scenarios.loadkit.user import LeanUser


class VersionedItems(LeanUser):
    requests = tuple(replace(request, path=f"/v1{request.path}") for request in items.Items.requests)
