"""A response of 16 KiB: the cost of moving bytes."""

from scenarios.loadkit.request import Request
from scenarios.loadkit.user import LeanUser

BYTES = 16 * 1024


class Payload(LeanUser):
    requests = (Request(path=f"/payload?bytes={BYTES}", expect=b"x" * BYTES),)
