"""A local process with all its descendants: pinned, started in a session of its own, stopped as one."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from harness.errors import EnvironmentProblem

POLL_S = 0.02
KILL_TIMEOUT_S = 5.0

Stream = int | IO[bytes]


class ProcessGroup:
    """The leader stays unreaped until `stop`, so that the group's number cannot be used again before."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._exit_code: int | None = None

    @classmethod
    def start(
        cls,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        cpus: Sequence[int],
        stdin: Stream,
        stdout: Stream,
        stderr: Stream,
    ) -> ProcessGroup:
        """Raises EnvironmentProblem when this machine does not let us use `cpus`."""
        with _pinned(cpus):
            process = subprocess.Popen(
                argv, cwd=cwd, env=env, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True
            )
        return cls(process)

    @property
    def pid(self) -> int:
        """Of the leader; also the number of the group."""
        return self._process.pid

    @property
    def stdin(self) -> IO[bytes]:
        return _pipe(self._process.stdin)

    @property
    def stdout(self) -> IO[bytes]:
        return _pipe(self._process.stdout)

    def exit_code(self, within_s: float = 0.0) -> int | None:
        """None while the leader runs; 128 + n when signal n killed it, as shells and Docker count."""
        deadline = time.monotonic() + within_s
        while (code := self._exit_code_now()) is None and time.monotonic() < deadline:
            time.sleep(POLL_S)
        return code

    def stop(self, timeout_s: float) -> None:
        """Ask the leader to end, then kill whatever is left of the group. May be called twice.

        Raises EnvironmentProblem when not even SIGKILL ends the leader.
        """
        if self._process.returncode is not None:
            return
        try:
            os.kill(self.pid, signal.SIGTERM)
            self.exit_code(timeout_s)
        finally:
            os.killpg(self.pid, signal.SIGKILL)
            if self.exit_code(KILL_TIMEOUT_S) is None:
                raise EnvironmentProblem(
                    f"process {self.pid} outlives SIGKILL: it hangs in the kernel, most likely on a disk or "
                    f"a mount. Look at /proc/{self.pid}/stack, then restart the machine."
                )
            self._process.wait()

    def _exit_code_now(self) -> int | None:
        if self._exit_code is None:
            ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is not None:
                by_itself = ended.si_code == os.CLD_EXITED
                self._exit_code = ended.si_status if by_itself else 128 + ended.si_status
        return self._exit_code


@contextmanager
def _pinned(cpus: Sequence[int]) -> Iterator[None]:
    """Pin this thread alone: what it starts meanwhile inherits that, before its first instruction."""
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, cpus)
        if os.sched_getaffinity(0) != set(cpus):
            raise OSError("some of them do not exist")
    except OSError as error:
        os.sched_setaffinity(0, before)
        raise EnvironmentProblem(
            f"cannot pin a process to CPU {', '.join(map(str, cpus))} ({error}): the CPUs of this process "
            f"are {', '.join(map(str, sorted(before)))}."
        ) from error
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise ValueError("the process was started without this pipe")
    return stream
