"""The fastest server plain Python offers, to find out what the generator itself can do.

`python -m scenarios.loadkit.static_server --port 8000`: every path gets the answer of the `root` scenario.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import signal

VARIANT_ID = "static"


def response(body: bytes) -> bytes:
    """A whole keep-alive answer with status 200."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode("ascii") + body


class StaticServer(asyncio.Protocol):
    """One connection. Counts what carries an x-harness-id, like the app under test does."""

    requests = id_sum = id_xor = 0
    answer = response(b'{"message":"hello"}')

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._pending = b""

    def data_received(self, data: bytes) -> None:
        *heads, self._pending = (self._pending + data).split(b"\r\n\r\n")
        for head in heads:
            self._count(head)
            self._transport.write(self._probe() if head.startswith(b"GET /.harness/probe ") else self.answer)

    @staticmethod
    def _count(head: bytes) -> None:
        _, found, rest = head.partition(b"\r\nx-harness-id: ")
        if found:
            request_id = int(rest.partition(b"\r\n")[0])
            StaticServer.requests += 1
            StaticServer.id_sum = (StaticServer.id_sum + request_id) % 2**64
            StaticServer.id_xor ^= request_id

    @staticmethod
    def _probe() -> bytes:
        cpus = len(os.sched_getaffinity(0))
        worker = {
            "pid": os.getpid(),
            "requests": StaticServer.requests,
            "id_sum": StaticServer.id_sum,
            "id_xor": StaticServer.id_xor,
            "in_flight": 0,
        }
        report = {
            "variant_id": VARIANT_ID,
            "pid": os.getpid(),
            "uid": os.getuid(),
            "workers": [worker],
            "server": "static_server",
            "loop": f"asyncio.{type(asyncio.get_running_loop()).__name__}",
            "http": "scenarios.loadkit.static_server.StaticServer",
            "access_log": False,
            "keep_alive_s": None,
            "versions": {"python": platform.python_version()},
            "cpus": {"host": os.cpu_count(), "affinity": cpus, "quota": float(cpus)},
        }
        return response(json.dumps(report).encode("ascii"))


async def serve(host: str, port: int) -> None:
    """Answer until SIGTERM or SIGINT."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    # As process 1 of a container there is no default action: without a handler the signal is ignored.
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server = await loop.create_server(StaticServer, host, port)
    await stopped.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.host, arguments.port))


if __name__ == "__main__":
    main()
