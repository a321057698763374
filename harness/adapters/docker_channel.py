"""Lines of text over the attach stream of a container."""

from __future__ import annotations

import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from docker import DockerClient
from docker.models.containers import Container

from harness.adapters.docker_client import engine_errors
from harness.errors import GeneratorFailed, NoAnswer

STDOUT = 1
HEADER = struct.Struct(">BxxxL")
"""Docker's framing of an attach stream: which stream, three zero bytes, length of what follows."""
CHUNK_BYTES = 1 << 20
SEND_TIMEOUT_S = 30.0
TAIL_LINES = 50
TAIL_BYTES = 16_384
ENDING_S = 5
"""How long a container may take to end after its output has."""


class AttachStream:
    """Takes the bytes of an attach stream apart: whole lines of stdout, the tail of stderr."""

    def __init__(self) -> None:
        self.lines: deque[bytes] = deque()
        self._frames = bytearray()
        self._line: list[bytes] = []
        self._stderr = b""

    def feed(self, data: bytes) -> None:
        self._frames += data
        start = 0
        while len(self._frames) - start >= HEADER.size:
            stream, length = HEADER.unpack_from(self._frames, start)
            body = start + HEADER.size
            if len(self._frames) - body < length:
                break
            self._take(stream, bytes(self._frames[body : body + length]))
            start = body + length
        del self._frames[:start]

    @property
    def stderr_tail(self) -> str:
        """The last lines of stderr, as text."""
        return "\n".join(self._stderr.decode(errors="replace").splitlines()[-TAIL_LINES:])

    def _take(self, stream: int, payload: bytes) -> None:
        if stream != STDOUT:
            self._stderr = (self._stderr + payload)[-TAIL_BYTES:]
            return
        # Pieces are joined once per line: a line of many megabytes comes in frames of 32 KiB.
        first, *others = payload.split(b"\n")
        self._line.append(first)
        for piece in others:
            self.lines.append(b"".join(self._line))
            self._line = [piece]


class DockerChannel:
    """A duplex of lines to the process in a container; structurally a `Channel`."""

    def __init__(self, name: str, sock: socket.socket, ending: Callable[[], str]) -> None:
        """`ending` says how the process ended, once the stream has."""
        self._name, self._socket, self._ending = name, sock, ending
        self._stream = AttachStream()

    def send(self, line: str) -> None:
        """Raises GeneratorFailed when the process has ended or does not read."""
        self._socket.settimeout(SEND_TIMEOUT_S)
        try:
            self._socket.sendall(f"{line}\n".encode())
        except OSError as error:
            raise GeneratorFailed(self._told(f"took no more input ({error}; {self._ending()})")) from error

    def receive(self, timeout_s: float) -> str:
        """The next line, without its end.

        Raises NoAnswer on time-out, and GeneratorFailed when the process ended.
        """
        deadline = time.monotonic() + timeout_s
        while not self._stream.lines:
            data = self._recv(deadline)
            if data is None:
                raise NoAnswer(self._told(f"gave no answer within {timeout_s:g} s"))
            if not data:
                raise GeneratorFailed(self._told(f"ended ({self._ending()})"))
            self._stream.feed(data)
        return self._stream.lines.popleft().decode(errors="replace")

    def _recv(self, deadline: float) -> bytes | None:
        """Bytes, none of them at the end of the stream, or None at the deadline."""
        remaining_s = deadline - time.monotonic()
        if remaining_s <= 0:
            return None
        self._socket.settimeout(remaining_s)
        try:
            return self._socket.recv(CHUNK_BYTES)
        except TimeoutError:
            return None
        except ConnectionError:
            return b""

    def _told(self, what: str) -> str:
        tail = self._stream.stderr_tail
        return f"the companion {self._name} {what}. " + (
            f"Its last words:\n{tail}" if tail else "It wrote nothing to stderr."
        )


def attached(client: DockerClient, container: Container) -> Any:
    """The attach stream of a container, started only then, so that its first line is not lost.

    Raises the docker SDK's errors.
    """
    streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
    stream = client.api.attach_socket(str(container.id), params=streams)
    container.start()
    return stream


def ending(client: DockerClient, container: Container) -> str:
    """How a container ended whose output has. Raises EngineUnavailable when the engine has gone too."""
    with engine_errors(client, f"asking how {container.name} ended"):
        return f"exit code {container.wait(timeout=ENDING_S)['StatusCode']}"
