"""A small process that cleans up after a harness which cannot do so itself any more.

Its stdin is a pipe from the harness. However the harness dies, the kernel closes the pipe, and the
reaper removes the containers and networks that carry its labels, kills the process groups it was told of,
and removes temporary files. It runs in a session of its own and with the signals of a terminal blocked, so
Ctrl-C reaches the harness alone.

Lines on stdin: `adopt <pgid> <start time>`, `release <pgid>`, and `done` when there is nothing to do.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from harness.adapters import ownership, scratch

BUDGET_S = 60.0
"""For how long the reaper tries to reach the engine before it leaves the rest to `harness clean`."""
QUIET_S = 3.0
"""For how long nothing new may appear: a request to create may still be under way when its sender dies."""
POLL_S = 0.25
EXIT_S = 5.0
TERMINAL_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Reaper:
    """The harness's end of the pipe."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        if process.stdin is None:
            raise ValueError("the reaper was started without a pipe")
        self._process, self._pipe = process, process.stdin

    @classmethod
    def start(cls, owner: Mapping[str, str] | None = None) -> Reaper:
        """Start the process; with an owner's labels it also removes what carries them all in Docker."""
        argv = [sys.executable, "-m", "harness.adapters.reaper"]
        argv += [f"--label={key}={value}" for key, value in (owner or {}).items()]
        # A blocked signal stays blocked in what is started meanwhile, from its first instruction on.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, TERMINAL_SIGNALS)
        try:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return cls(process)

    @property
    def pid(self) -> int:
        return self._process.pid

    def adopt(self, pgid: int) -> None:
        """Have a process group killed if the harness dies. Its leader must be alive now."""
        began = ownership.start_time(pgid)
        if began is not None:
            self._tell(f"adopt {pgid} {began}")

    def release(self, pgid: int) -> None:
        """Forget a process group that has ended, before its number is used again.

        Also after `close`: a `with` block may end later than the engine it came from.
        """
        if not self._pipe.closed:
            self._tell(f"release {pgid}")

    def close(self, *, clean: bool = True) -> None:
        """End the reaper; unless `clean`, it does its work first, in the background. May be called twice."""
        if self._pipe.closed:
            return
        if clean:
            self._tell("done")
        with suppress(BrokenPipeError):
            self._pipe.close()
        if clean:
            self._process.wait(timeout=EXIT_S)

    def _tell(self, line: str) -> None:
        # Broken: someone killed the reaper. The run goes on, and `with` blocks still clean up behind it.
        with suppress(BrokenPipeError):
            self._pipe.write(f"{line}\n")
            self._pipe.flush()


def listen(lines: Iterable[str]) -> Mapping[int, str] | None:
    """Process groups (pgid to start time) left at the end of the lines; None after `done`.

    A line cut short by the harness's death is passed over.
    """
    groups: dict[int, str] = {}
    for line in lines:
        match line.split() if line.endswith("\n") else []:
            case ["adopt", pgid, *began]:
                groups[int(pgid)] = " ".join(began)
            case ["release", pgid]:
                groups.pop(int(pgid), None)
            case ["done"]:
                return None
    return groups


def kill_group(pgid: int, began: str) -> bool:
    """Kill a process group unless its number now belongs to a process that began at another time.

    A group whose leader has died but whose members live on keeps its number, so it is still ours.
    """
    if ownership.start_time(pgid) not in (began, None):
        return False
    try:
        os.killpg(pgid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def sweep(owner: Mapping[str, str]) -> None:
    """Remove the owner's containers and networks until none has turned up for a while; bounded."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    from harness.adapters.docker_client import engine_client

    now = time.monotonic()
    give_up, quiet_since = now + BUDGET_S, now
    while (now := time.monotonic()) < give_up and now - quiet_since < QUIET_S:
        try:
            client = engine_client(timeout_s=20)
            try:
                if ownership.remove_owned(client, owner):
                    quiet_since = time.monotonic()
            finally:
                client.close()
        except (DockerException, RequestException):
            quiet_since = time.monotonic()  # the engine is away or busy: nothing is known to be gone
        time.sleep(POLL_S)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="harness.adapters.reaper", description=__doc__)
    parser.add_argument("--label", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args(argv)
    groups = listen(sys.stdin)
    if groups is None:
        return 0
    for pgid, began in groups.items():
        kill_group(pgid, began)
    if arguments.label:
        sweep(dict(label.split("=", 1) for label in arguments.label))
    # Last: a build that is under way still writes there.
    scratch.remove_dead()
    return 0


if __name__ == "__main__":
    sys.exit(main())
