"""What the kernel's tables say about who listens."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.loadkit.listening import listening, refused_hint

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue\n"
LOOPBACK_9000 = "   0: 0100007F:2328 00000000:0000 0A 00000000:00000000\n"
ANY_8000 = "   1: 00000000:1F40 00000000:0000 0A 00000000:00000000\n"
CONNECTED = "   2: 0100007F:1F41 0100007F:2328 01 00000000:00000000\n"
ENGINE_DNS = "   3: 0B00007F:9C40 00000000:0000 0A 00000000:00000000\n"
LOOPBACK_6 = "   0: 00000000000000000000000001000000:1F40 00000000000000000000000000000000:0000 0A 0:0\n"


def test_only_sockets_that_listen_are_told_and_not_the_engine_s_own() -> None:
    table = HEAD + LOOPBACK_9000 + CONNECTED + ENGINE_DNS
    assert [(str(host), port) for host, port in listening(table)] == [("127.0.0.1", 9000)]


@pytest.mark.parametrize(
    ("base_url", "table", "said"),
    [
        (
            "http://127.0.0.1:8000",
            LOOPBACK_9000,
            "nothing listens on port 8000; the server listens on 127.0.0.1:9000: set target.port, or --port",
        ),
        ("http://127.0.0.1:8000", LOOPBACK_6, "another address ([::1]:8000)"),
        ("http://127.0.0.1:8000", "", "nothing listens on port 8000, nor on any other"),
        ("https://127.0.0.1", ANY_8000, "nothing listens on port 443"),
        ("http://172.17.0.2:8000", LOOPBACK_9000, "listen on 0.0.0.0:8000"),
    ],
)
def test_the_hint_says_where_it_listens_instead(tmp_path: Path, base_url: str, table: str, said: str) -> None:
    file = tmp_path / "tcp"
    file.write_text(HEAD + table)
    assert said in refused_hint(base_url, [file, tmp_path / "none"])
