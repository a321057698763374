"""The load generator's process: one JSON message a line on stdin, answers on stdout.

Start it with `python -m scenarios.loadkit.agent`. It tells its versions, then answers `workload`, `ready`,
`probe`, `verify`, `prepare`, `drive` and `exit` in turn; `drive` reports progress meanwhile. The end of
stdin ends the process at once, in mid-load too: nobody is left who wants the figures.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

import gevent
from gevent import monkey
from gevent.fileobject import FileObject
from gevent.queue import Queue

from scenarios.loadkit.errors import AgentError, BadRequest
from wire import PROTOCOL

Write = Callable[[Mapping[str, Any]], None]


def main() -> int:
    """Exit code 0 after `exit` or the end of stdin, 1 after a defect of the agent itself."""
    # libev's epoll backend rounds timers up to whole milliseconds, its select backend takes microseconds.
    gevent.config.libev_backend = "select"
    monkey.patch_all()
    write = _private_stdout()
    lines: Queue[str] = Queue()
    server = gevent.spawn(_serve, lines, write)
    reader = gevent.spawn(_read, lines)
    # As process 1 of a container there is no default action: without a handler the signal is ignored.
    gevent.signal_handler(signal.SIGTERM, server.kill)
    gevent.wait([server, reader], count=1)
    failed = server.ready() and not server.successful()
    gevent.killall([server, reader])
    return int(failed)


def _private_stdout() -> Write:
    """A writer of JSON lines to the real stdout; whatever else prints goes to stderr."""
    stream = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def write(message: Mapping[str, Any]) -> None:
        stream.write(json.dumps(message) + "\n")
        stream.flush()

    return write


def _read(lines: Queue[str]) -> None:
    """Read without holding up the load: a plain read of stdin would block every greenlet."""
    with FileObject(sys.stdin.fileno(), "r", encoding="utf-8", close=False) as stdin:
        for line in stdin:
            lines.put(line)


def _serve(lines: Queue[str], write: Write) -> None:
    write(_ok({"agent": PROTOCOL, "locust": version("locust"), "python": platform.python_version()}))
    # Importing Locust takes most of a second: after the greeting, while the server under test starts too.
    from scenarios.loadkit.service import Service
    from wire.messages import Exit, operation_of

    service = Service(write)
    while True:
        try:
            operation = operation_of(lines.get())
            write(_ok(service.result(operation)))
            if isinstance(operation, Exit):
                return
        except ValueError as error:
            write(_error(BadRequest.kind, str(error)))
        except AgentError as error:
            write(_error(error.kind, str(error)))
        except Exception as error:
            write(_error("Internal", f"{type(error).__name__}: {error}"))
            raise


def _ok(result: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"ok": True, "result": result}


def _error(kind: str, text: str) -> Mapping[str, Any]:
    return {"ok": False, "error": {"kind": kind, "message": text}}


if __name__ == "__main__":
    sys.exit(main())
