"""Files that survive: written whole or not at all, and journals that only grow."""

from __future__ import annotations

import os
import re
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from harness.errors import ConfigurationError, RunAborted

READABLE = 0o644
"""mkstemp keeps its files to their owner; a report is to be handed on."""

RESUME = "run again with --resume; the trials stored so far are kept"
_CHECKED = re.compile(rb'(?P<record>\{.*),"crc32":"(?P<sum>[0-9a-f]{8})"\}', re.DOTALL)

T = TypeVar("T")


@dataclass(frozen=True)
class Journal(Generic[T]):
    """A file of JSON lines. A record is on disk, fsynced, when `append` returns.

    Each line ends with its CRC-32, as a last key: a byte that changed may leave it valid JSON.
    """

    path: Path
    to_json: Callable[[T], bytes]
    """One line, an object, without a line break."""
    from_json: Callable[[bytes], T]
    """Raises ValueError when the line is not a whole record."""

    def append(self, record: T) -> None:
        """Add a record; on return it survives a power cut."""
        with disk_errors(self.path):
            is_new = not self.path.exists()
            with self.path.open("ab") as file:
                self._drop_torn_tail()
                file.write(_checked(self.to_json(record)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            if is_new:
                _sync_name(self.path)

    def records(self) -> tuple[T, ...]:
        """All whole records. A torn last line is left out; damage before it is an error."""
        if not self.path.exists():
            return ()
        *lines, _tail = self.path.read_bytes().split(b"\n")
        first = next((number for number, line in enumerate(lines) if _CHECKED.fullmatch(line)), len(lines))
        return tuple(self._record(number, line, old=number < first) for number, line in enumerate(lines))

    def torn_tail(self) -> bool:
        """Whether the journal ends in the middle of a record."""
        path = self.path
        return path.exists() and not path.read_bytes().endswith(b"\n") and path.stat().st_size > 0

    def _record(self, number: int, line: bytes, *, old: bool) -> T:
        """Lines of an earlier version have no checksum; they come before all others."""
        try:
            return self.from_json(line if old else _verified(line))
        except ValueError as error:
            problem = f"line {number + 1} is damaged; move it out of the file and --resume measures it again"
            raise ConfigurationError(str(self.path), [problem]) from error

    def _drop_torn_tail(self) -> None:
        """Cut an unfinished last line, so that the next record starts on a line of its own."""
        if self.torn_tail():
            whole = self.path.read_bytes().rpartition(b"\n")
            os.truncate(self.path, len(whole[0]) + len(whole[1]))


def _checked(line: bytes) -> bytes:
    return b'%s,"crc32":"%08x"}' % (line.removesuffix(b"}"), zlib.crc32(line))


def _verified(line: bytes) -> bytes:
    """The record of a line. Raises ValueError where it is not what was written."""
    parts = _CHECKED.fullmatch(line)
    if parts is None or zlib.crc32(record := parts["record"] + b"}") != int(parts["sum"], 16):
        raise ValueError("the checksum does not fit")
    return record


def write_whole(path: Path, content: bytes, *, then: str = RESUME) -> Path:
    """Write a file whole or not at all, its directory too if need be, and return its path.

    `then` is what to do once there is room again.
    """
    with disk_errors(path, then=then):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                os.fchmod(handle, READABLE)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
            _sync_name(path)
        finally:
            Path(temporary).unlink(missing_ok=True)
    return path


def _sync_name(path: Path) -> None:
    """What a file is called stands in its directory, which is written on its own."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextmanager
def disk_errors(path: Path, *, then: str = RESUME) -> Iterator[None]:
    """Turn a full or read-only disk into an abort that names the file; nothing stored so far is touched."""
    try:
        yield
    except OSError as error:
        raise RunAborted(
            f"cannot write {path}: {error.strerror}. "
            f"Free some space (or choose another --results), then {then}."
        ) from error
