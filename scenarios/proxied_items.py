"""`items` with the headers that a TLS proxy adds: reading them is what proxy headers cost."""

from dataclasses import replace

from scenarios import items
from scenarios.loadkit.user import LeanUser

FORWARDED = (("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Proto", "https"))


class ProxiedItems(LeanUser):
    requests = tuple(replace(request, headers=FORWARDED) for request in items.Items.requests)
