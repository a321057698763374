"""One run a host: two at once would measure each other (PROMISES 20)."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import EnvironmentProblem

DEFAULT = Path(tempfile.gettempdir()) / "harness-run.lock"


@contextmanager
def run_lock(run_id: str, *, wait: bool, path: Path = DEFAULT) -> Iterator[None]:
    """Hold the host's run lock. Raises EnvironmentProblem naming the holder, unless told to wait.

    The kernel lets go of the lock when its holder dies, so a stale one cannot exist.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    with os.fdopen(descriptor, "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise EnvironmentProblem(
                f"another run measures on this host: {file.read().strip() or 'unknown'}. "
                f"Wait for it with --wait; two runs at once would measure each other."
            ) from error
        file.truncate(0)
        file.write(f"run {run_id}, process {os.getpid()}")
        file.flush()
        yield
