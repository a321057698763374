"""Lines of text over the pipes of a local process."""

from __future__ import annotations

import os
import selectors
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO

from harness.errors import GeneratorFailed, NoAnswer

CHUNK_BYTES = 1 << 20
MAX_LINE_BYTES = 1 << 28
TAIL_LINES = 50
ENDING_S = 5.0
"""How long a process may take to end after its output has."""


class PipeChannel:
    """A duplex of lines to a companion process; structurally a `Channel`."""

    def __init__(
        self,
        name: str,
        *,
        stdin: IO[bytes],
        stdout: IO[bytes],
        stderr: Path,
        exit_code: Callable[[float], int | None],
    ) -> None:
        self._name, self._stdin, self._stdout, self._stderr = name, stdin, stdout, stderr
        self._exit_code = exit_code
        self._lines: deque[bytes] = deque()
        self._pieces: list[bytes] = []
        self._pieces_bytes = 0
        self._selector = selectors.DefaultSelector()
        self._selector.register(stdout, selectors.EVENT_READ)

    def send(self, line: str) -> None:
        """Raises GeneratorFailed when the process has ended."""
        try:
            self._stdin.write(f"{line}\n".encode())
            self._stdin.flush()
        except BrokenPipeError as error:
            raise GeneratorFailed(self._told("took no more input", ENDING_S)) from error

    def receive(self, timeout_s: float) -> str:
        """The next line, without its end.

        Raises NoAnswer on time-out, and GeneratorFailed when the process ended.
        """
        deadline = time.monotonic() + timeout_s
        while not self._lines:
            if not self._selector.select(max(0.0, deadline - time.monotonic())):
                raise NoAnswer(self._told(f"gave no answer within {timeout_s:g} s"))
            data = os.read(self._stdout.fileno(), CHUNK_BYTES)
            if not data:
                raise GeneratorFailed(self._told("ended", ENDING_S))
            self._take(data)
        return self._lines.popleft().decode(errors="replace")

    def close(self) -> None:
        """End of input for the process."""
        self._selector.close()
        self._stdout.close()
        try:
            self._stdin.close()
        except BrokenPipeError:
            return  # a line it never read went with it

    def _take(self, data: bytes) -> None:
        # Pieces are joined once per line: a line of many megabytes comes in pieces of 64 KiB.
        first, *others = data.split(b"\n")
        self._pieces.append(first)
        self._pieces_bytes += len(first)
        for piece in others:
            self._lines.append(b"".join(self._pieces))
            self._pieces, self._pieces_bytes = [piece], len(piece)
        if self._pieces_bytes > MAX_LINE_BYTES:
            raise GeneratorFailed(self._told(f"wrote a line of more than {MAX_LINE_BYTES >> 20} MiB"))

    def _told(self, what: str, ending_s: float = 0.0) -> str:
        code = self._exit_code(ending_s)
        ending = "" if code is None else f" (exit code {code})"
        tail = self._stderr.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
        words = "Its last words:\n" + "\n".join(tail) if tail else "It wrote nothing to stderr."
        return f"the companion {self._name} {what}{ending}. {words}"
