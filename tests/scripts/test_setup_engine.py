"""scripts/setup-engine.sh on machines with and without an engine."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.scripts.conftest import Machine

DOCKER = '[ -e "$ROOT/up" ] && echo 20.10'
DOCKERD = """
echo $$ >>"$ROOT/started"
echo $$ >"$HARNESS_VAR_DIR/run/docker.pid"
touch "$ROOT/up"
exec -a dockerd sleep 60
"""
SLOW_DOCKERD = DOCKERD.replace("touch", "sleep 0.5\ntouch")
ROOT, USER = "echo 0", "echo 1000"


@pytest.fixture
def stopped(machine: Machine) -> Machine:
    """A machine whose engine is installed and does not run."""
    machine.has("docker", DOCKER)
    machine.has("dockerd", DOCKERD)
    machine.has("iptables")
    machine.has("id", ROOT)
    return machine


def starts(machine: Machine) -> int:
    return sum(call.startswith("dockerd") for call in machine.calls)


def test_an_engine_that_answers_is_left_alone(stopped: Machine) -> None:
    (stopped.root / "up").touch()
    code, said = stopped.run("setup-engine.sh")
    assert (code, starts(stopped)) == (0, 0)
    assert "a Docker engine answers (20.10)" in said


def test_without_a_client_the_engine_is_asked_over_its_socket(machine: Machine) -> None:
    machine.has("curl", "echo OK")
    assert machine.run("setup-engine.sh")[0] == 0
    assert str(machine.var / "run/docker.sock") in machine.calls[0]


def test_a_stopped_engine_is_started_and_outlives_the_script(stopped: Machine) -> None:
    code, said = stopped.run("setup-engine.sh")
    assert (code, starts(stopped)) == (0, 1), said
    pid = int((stopped.root / "started").read_text())
    assert os.getsid(pid) == pid


def test_who_is_not_root_is_told_what_to_do(stopped: Machine) -> None:
    stopped.has("id", USER)
    code, said = stopped.run("setup-engine.sh")
    assert (code, starts(stopped)) == (3, 0)
    assert "apt-get install docker.io" in said


@pytest.mark.parametrize(
    "pid",
    ["4194305", "not a number", "", str(os.getpid())],
    ids=["gone", "not a number", "empty", "of another program"],
)
@pytest.mark.parametrize("file", ["docker.pid", "docker/containerd/containerd.pid"])
def test_a_dead_engines_pid_file_is_removed(stopped: Machine, file: str, pid: str) -> None:
    """Dead, unreadable, or in use again by a process that is no engine (ours: it must survive)."""
    stale = stopped.var / "run" / file
    stale.parent.mkdir(parents=True, exist_ok=True)
    stale.write_text(pid)
    stopped.has("dockerd", f'[ ! -e "{stale}" ] || exit 1\n{DOCKERD}')
    code, said = stopped.run("setup-engine.sh")
    assert code == 0, said
    assert f"removing {stale}" in said


def test_an_engine_that_someone_else_is_starting_is_waited_for(stopped: Machine) -> None:
    stopped.has("dockerd", SLOW_DOCKERD)
    pid_file = stopped.var / "run/docker.pid"
    stopped.has("docker", f'[ -s "{pid_file}" ] && {DOCKER}')
    env = {"PATH": str(stopped.root / "bin"), "ROOT": str(stopped.root), "HARNESS_VAR_DIR": str(stopped.var)}
    with subprocess.Popen([stopped.root / "bin/dockerd"], env=env) as engine:
        deadline = time.monotonic() + 10
        while not (pid_file.exists() and pid_file.read_text().strip()) and time.monotonic() < deadline:
            time.sleep(0.01)
        code, said = stopped.run("setup-engine.sh")
        engine.kill()
    assert (code, starts(stopped)) == (0, 1), said


def test_two_set_ups_at_once_start_one_engine(stopped: Machine) -> None:
    stopped.has("dockerd", SLOW_DOCKERD)
    first, second = (stopped.start("setup-engine.sh") for _ in range(2))
    said = [process.communicate(timeout=60)[0] for process in (first, second)]
    assert (first.returncode, second.returncode, starts(stopped)) == (0, 0, 1), said


def test_an_engine_that_dies_is_reported_with_its_last_words(stopped: Machine) -> None:
    stopped.has("dockerd", "echo cgroups are not mounted; exit 1")
    code, said = stopped.run("setup-engine.sh")
    assert code == 3
    assert "cgroups are not mounted" in said


def test_root_on_debian_gets_an_engine_installed(machine: Machine) -> None:
    machine.has("id", ROOT)
    machine.has("curl", "exit 7")
    programs = machine.root / "packaged"
    programs.mkdir()
    # Like newer Debian: the client comes in a package of its own.
    machine.has(
        "apt-get",
        f'case "$*" in *docker.io*) cp {programs}/dockerd {programs}/iptables "$ROOT/bin" ;; '
        f'*docker-cli*) cp {programs}/docker "$ROOT/bin" ;; esac',
    )
    for name, body in {"docker": DOCKER, "dockerd": DOCKERD, "iptables": "exit 0"}.items():
        machine.has(name, body)
        (machine.root / "bin" / name).rename(programs / name)
    (machine.root / "bin" / "cp").symlink_to(Path("/bin/cp").resolve())
    code, said = machine.run("setup-engine.sh")
    assert (code, starts(machine)) == (0, 1), said
    assert any("--no-install-recommends docker.io iptables" in call for call in machine.calls)
    assert "installing docker.io and iptables, because" in said


def test_an_unknown_system_is_told_so(machine: Machine) -> None:
    machine.has("id", ROOT)
    machine.has("curl", "exit 7")
    code, said = machine.run("setup-engine.sh")
    assert code == 3
    assert "no Debian-like system" in said
