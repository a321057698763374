from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping

import pytest

from harness.adapters import ownership
from harness.adapters.ownership import BOOT, HOST, PID, RUN, START

MINE = ownership.labels("a-run")


def test_a_living_owner_is_told_by_pid_and_start_time() -> None:
    assert MINE[PID] == str(os.getpid())
    assert ownership.owner_is_alive(MINE)


def test_a_process_that_ended_has_no_start_time_even_before_it_is_reaped() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert ownership.start_time(process.pid) is not None
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert ownership.start_time(process.pid) is None, "a zombie owns nothing"
    process.communicate()
    assert ownership.start_time(process.pid) is None


@pytest.mark.parametrize(
    ("why", "changes", "leftover"),
    [
        ("its owner lives", {}, False),
        ("its pid is used again by a later process", {START: "1"}, True),
        ("it comes from before a reboot", {BOOT: "another boot"}, True),
        ("its owner has ended", {PID: "4194304999"}, True),
        ("it belongs to another machine on the same engine", {HOST: "elsewhere", PID: "4194304999"}, False),
        (
            "its pid is of another pid namespace",
            {HOST: f"{platform.node()} pid:[1]", PID: "4194304999"},
            False,
        ),
        ("it names no run", {RUN: "", PID: "4194304999"}, False),
        ("it names no start time", {START: "", PID: "4194304999"}, False),
    ],
)
@pytest.mark.promise(2)
def test_only_what_a_dead_owner_of_this_machine_left_may_be_removed(
    why: str, changes: Mapping[str, str], leftover: bool
) -> None:
    assert ownership.is_leftover({**MINE, **changes}) is leftover, why


def test_unlabelled_things_are_nobodys_leftovers() -> None:
    assert not ownership.is_leftover({})
