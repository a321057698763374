"""The requests of `items`, each over its own connection: what connecting costs, with TLS the handshake."""

from dataclasses import replace

from scenarios import items
from scenarios.loadkit.user import LeanUser

CLOSE = (("Connection", "close"),)


class Reconnect(LeanUser):
    requests = tuple(replace(request, headers=CLOSE) for request in items.Items.requests)
