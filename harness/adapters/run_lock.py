"""One run a host: two at once would measure each other (PROMISES 20)."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from harness.errors import EnvironmentProblem

DEFAULT = Path("/tmp/harness-run.lock")
"""The same for everybody on this host, whatever TMPDIR says."""
OVERRIDE = "HARNESS_RUN_LOCK"
"""For tests, which do not measure: a lock of their own."""
MAX_WAIT_S, LOOK_S = 12 * 3600.0, 1.0
HOLDER_CHARS = 200
"""How much of the file is told: anyone on the host may have written to it."""


@contextmanager
def run_lock(
    run_id: str,
    *,
    wait: bool,
    say: Callable[[str], None] = lambda _: None,
    path: Path | None = None,
    max_wait_s: float = MAX_WAIT_S,
) -> Iterator[None]:
    """Hold the host's run lock. Raises EnvironmentProblem naming the holder, unless told to wait for it.

    `say` hears once whom it waits for. The kernel lets go of the lock when its holder dies, so a stale one
    cannot exist.
    """
    with _opened(path or Path(os.environ.get(OVERRIDE, DEFAULT))) as file:
        if not _taken(file):
            holder = f"another run measures on this host: {file.read(HOLDER_CHARS).strip() or 'unknown'}"
            if not wait:
                advice = "Wait for it with --wait; two runs at once would measure each other."
                raise EnvironmentProblem(f"{holder}. {advice}")
            say(f"{holder}; waiting for it to end")
            deadline_s = time.monotonic() + max_wait_s
            while not _taken(file):
                if time.monotonic() >= deadline_s:
                    raise EnvironmentProblem(
                        f"{holder}, and has not ended within {max_wait_s:g} s of waiting"
                    )
                # The kernel's own wait for a lock knows no time-out.
                time.sleep(LOOK_S)
        if file.writable():
            file.seek(0)
            file.truncate()
            file.write(f"run {run_id}, process {os.getpid()}")
            file.flush()
        yield


def _taken(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _opened(path: Path) -> TextIO:
    """The lock file, made for every user of the host; read-only where its owner allows no more.

    A lock needs no right to write, only the holder's name does. Raises EnvironmentProblem.
    """
    try:
        with suppress(FileExistsError):
            # Only where there is none: the kernel may forbid O_CREAT on another user's file in /tmp.
            path.touch(exist_ok=False)
            path.chmod(0o666)
        writable = os.access(path, os.W_OK)
        flags = os.O_RDWR if writable else os.O_RDONLY
        descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise EnvironmentProblem(
            f"the run lock {path} cannot be opened ({error.strerror}). Let this user read it, or remove it "
            f"while no run is under way: rm {path}"
        ) from error
    return os.fdopen(descriptor, "r+" if writable else "r", errors="replace")
