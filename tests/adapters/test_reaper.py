from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from harness.adapters import ownership
from harness.adapters.reaper import Reaper, kill_group, listen

SLEEPER = [sys.executable, "-c", "import time; time.sleep(120)"]
GONE_WITHIN_S = 15.0

HARNESS = """
import signal, subprocess, sys, time
from harness.adapters.reaper import Reaper
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell starts in the background
reaper = Reaper.start()
server = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"], start_new_session=True)
reaper.adopt(server.pid)
print(server.pid, reaper.pid, flush=True)
time.sleep(120)
"""


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that leads a group of its own."""
    process = subprocess.Popen(SLEEPER, start_new_session=True)
    yield process
    process.kill()
    process.wait()


def test_groups_left_at_the_end_of_the_lines_are_the_ones_to_kill() -> None:
    assert listen(["adopt 5 100\n", "adopt 6 200\n", "release 5\n"]) == {6: "200"}


def test_a_start_time_may_hold_spaces() -> None:
    assert listen(["adopt 5 Sat Nov 21 09:00:00 2026\n"]) == {5: "Sat Nov 21 09:00:00 2026"}


def test_a_line_cut_short_by_the_harness_death_is_passed_over() -> None:
    assert listen(["adopt 5 100\n", "adopt 6 2"]) == {5: "100"}


def test_after_done_there_is_nothing_to_do() -> None:
    assert listen(["adopt 5 100\n", "done\n"]) is None


def test_a_group_is_killed(sleeper: subprocess.Popen[bytes]) -> None:
    assert kill_group(sleeper.pid, str(ownership.start_time(sleeper.pid)))
    assert sleeper.wait(timeout=10) == -signal.SIGKILL


@pytest.mark.promise(2)
def test_a_group_whose_number_is_used_again_is_left_alone(sleeper: subprocess.Popen[bytes]) -> None:
    assert not kill_group(sleeper.pid, "1")
    assert sleeper.poll() is None


def test_a_group_that_is_gone_is_no_error(sleeper: subprocess.Popen[bytes]) -> None:
    began = str(ownership.start_time(sleeper.pid))
    sleeper.kill()
    sleeper.wait()
    assert not kill_group(sleeper.pid, began)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
@pytest.mark.promise(1)
def test_however_the_harness_dies_its_servers_go_too(number: signal.Signals) -> None:
    harness = subprocess.Popen([sys.executable, "-c", HARNESS], stdout=subprocess.PIPE, text=True)
    assert harness.stdout is not None
    server, reaper = map(int, harness.stdout.readline().split())
    harness.send_signal(number)
    harness.communicate(timeout=30)
    assert _eventually(lambda: ownership.start_time(server) is None)
    assert _eventually(lambda: ownership.start_time(reaper) is None), "the reaper ends when its work is done"


def test_the_reaper_outlives_the_signals_of_a_terminal(sleeper: subprocess.Popen[bytes]) -> None:
    reaper = Reaper.start()
    reaper.adopt(sleeper.pid)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(reaper.pid, number)
    reaper.close(clean=False)
    assert sleeper.wait(timeout=GONE_WITHIN_S) == -signal.SIGKILL


def test_after_a_clean_end_nothing_is_killed(sleeper: subprocess.Popen[bytes]) -> None:
    reaper = Reaper.start()
    reaper.adopt(sleeper.pid)
    reaper.close()
    reaper.close()
    reaper.release(sleeper.pid)
    assert ownership.start_time(reaper.pid) is None
    assert sleeper.poll() is None


def test_a_released_group_is_left_alone(sleeper: subprocess.Popen[bytes]) -> None:
    reaper = Reaper.start()
    reaper.adopt(sleeper.pid)
    reaper.release(sleeper.pid)
    reaper.close(clean=False)
    assert _eventually(lambda: ownership.start_time(reaper.pid) is None)
    assert sleeper.poll() is None


@pytest.mark.promise(1)
def test_a_reaper_killed_by_someone_does_not_hurt_the_run(sleeper: subprocess.Popen[bytes]) -> None:
    reaper = Reaper.start()
    os.kill(reaper.pid, signal.SIGKILL)
    assert _eventually(lambda: ownership.start_time(reaper.pid) is None)
    reaper.adopt(sleeper.pid)
    reaper.close()


def _eventually(happened: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + GONE_WITHIN_S
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
