"""The engine's socket behind one that can be taken away, as if the engine were restarted."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from pathlib import Path
from types import TracebackType

ENGINE = "/var/run/docker.sock"


class CuttableProxy:
    """Passes bytes between `path` and the engine; `cut` breaks every connection and refuses new ones."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(32)
        self._listener.settimeout(0.05)
        self._back_at = 0.0
        self._stopped = threading.Event()
        self._connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> CuttableProxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()
        self._break_all()
        self._listener.close()

    def cut(self, *, away_s: float) -> None:
        """Take the engine away for a while."""
        self._back_at = time.monotonic() + away_s
        self._break_all()

    def _break_all(self) -> None:
        for connection in self._connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # its other end went first
        self._connections.clear()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                ours, _ = self._listener.accept()
            except TimeoutError:
                continue
            if time.monotonic() < self._back_at:
                ours.close()
                continue
            theirs = socket.socket(socket.AF_UNIX)
            theirs.connect(ENGINE)
            self._connections += [ours, theirs]
            threading.Thread(target=_pass, args=(ours, theirs), daemon=True).start()


def _pass(one: socket.socket, other: socket.socket) -> None:
    """Bytes both ways until either end closes."""
    with one, other, selectors.DefaultSelector() as selector:
        selector.register(one, selectors.EVENT_READ, other)
        selector.register(other, selectors.EVENT_READ, one)
        while True:
            for key, _ in selector.select():
                source, sink = key.fileobj, key.data
                assert isinstance(source, socket.socket)
                try:
                    data = source.recv(1 << 16)
                    sink.sendall(data)
                except OSError:
                    return
                if not data:
                    return
