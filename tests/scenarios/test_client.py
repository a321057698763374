"""Why there was no connection."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from scenarios.loadkit.client import SendOnceClient
from wire.messages import DISCONNECTED, PORTLESS, REFUSED, TIMED_OUT


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (TimeoutError(), TIMED_OUT),
        (ConnectionRefusedError(), REFUSED),
        (OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"), PORTLESS),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), DISCONNECTED),
    ],
)
def test_what_kept_a_request_from_a_connection_is_its_status(error: OSError, status: int) -> None:
    def none() -> Any:
        raise error

    client = SendOnceClient.to("http://127.0.0.1:9", timeout_s=1.0)
    client._connection_pool.get_socket = none
    assert client.ask("/").status == status
