"""What is special about local processes; what all engines promise is in tests/contract."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.adapters import ownership
from harness.adapters.process_deployment import LOG_BYTES
from harness.adapters.process_engine import ProcessEngine, reserved_port
from harness.deployment import DeploymentSpec, DeploymentState
from harness.errors import EnvironmentProblem, VariantError

CPU = max(os.sched_getaffinity(0))
TELL = """
import json, os, sys
cpus = sorted(os.sched_getaffinity(0))
facts = {"env": dict(os.environ), "cwd": os.getcwd(), "cpus": cpus, "argv": sys.argv}
print(json.dumps(facts), flush=True)
"""
WITH_STUBBORN_CHILD = """
import signal, subprocess, sys, time
deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
code = deaf + "print('up', flush=True); time.sleep(60)"
if sys.argv[1] == "stubborn":
    exec(deaf)
child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[ProcessEngine]:
    made = ProcessEngine(tmp_path)
    yield made
    made.close()


def spec(code: str, *arguments: str, **env: str) -> DeploymentSpec:
    return DeploymentSpec(
        name="tiny.w1",
        image=sys.prefix,
        argv=("python", "-c", code, *arguments),
        env=env,
        cpus=(CPU,),
        stop_timeout_s=0.3,
    )


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited 20 s in vain"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Not counting zombies, which only wait for whoever adopted them."""
    return (
        ownership.start_time(pid) is not None and "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    )


def test_a_server_sees_its_own_settings_and_nothing_of_ours(
    engine: ProcessEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "hunter2")
    tells = spec(TELL, "--port", "{port}", TARGET_STAGE="tiny", TARGET_URL="http://x:{port}")
    with engine.running(tells) as deployment:
        until(lambda: not deployment.state().running)
    facts = json.loads(deployment.log())
    port = deployment.base_url.removeprefix("http://127.0.0.1:")
    assert facts["argv"] == ["-c", "--port", port]
    assert facts["env"]["TARGET_URL"] == f"http://x:{port}"
    assert facts["env"]["TARGET_STAGE"] == "tiny"
    assert facts["env"]["PATH"].startswith(f"{sys.prefix}/bin:")
    allowed = {
        "PATH",
        "HOME",
        "TMPDIR",
        "LANG",
        "LC_CTYPE",
        "TARGET_URL",
        "TARGET_STAGE",
        "PYTHONPATH",
        "HARNESS_RUNTIME_DIR",
    }
    assert facts["env"].keys() <= allowed
    assert facts["env"]["PYTHONPATH"] == str(tmp_path / "probe")
    assert (facts["cwd"], facts["cpus"]) == (str(tmp_path), [CPU])
    assert not Path(facts["env"]["HARNESS_RUNTIME_DIR"]).exists()


def test_the_engine_itself_stays_unpinned(engine: ProcessEngine) -> None:
    before = os.sched_getaffinity(0)
    with engine.running(spec(TELL)):
        assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize("manner", ["polite", "stubborn"])
def test_nothing_of_the_group_outlives_a_deployment(engine: ProcessEngine, manner: str) -> None:
    with engine.running(spec(WITH_STUBBORN_CHILD, manner)) as deployment:
        until(lambda: "\n" in deployment.log())
        child = int(deployment.log())
        assert is_alive(child)
    until(lambda: not is_alive(child))
    killed_by = signal.SIGKILL if manner == "stubborn" else signal.SIGTERM
    assert deployment.state() == DeploymentState(running=False, exit_code=128 + killed_by)


def test_closing_the_engine_ends_what_still_runs(engine: ProcessEngine) -> None:
    running = engine.running(spec(WITH_STUBBORN_CHILD, "polite"))
    deployment = running.__enter__()
    until(lambda: "\n" in deployment.log())
    engine.close()
    assert not deployment.state().running
    until(lambda: not is_alive(int(deployment.log())))
    running.__exit__(None, None, None)


def test_the_log_outlives_the_deployment_and_is_bounded(engine: ProcessEngine) -> None:
    with engine.running(spec(f"print('x' * {LOG_BYTES} + 'the end', end='')")) as deployment:
        until(lambda: not deployment.state().running)
    assert len(deployment.log()) == LOG_BYTES
    assert deployment.log().endswith("the end")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"cpu_quota": 0.5}, "cpu_quota = 0.5"),
        ({"memory_mib": 64}, "memory_mib = 64"),
        ({"network": "bridge"}, "network = 'bridge'"),
        ({"network": "published", "memory_mib": 64}, "memory_mib = 64 nor network = 'published'"),
    ],
)
def test_levels_that_need_a_container_are_refused_by_name(
    engine: ProcessEngine, change: dict[str, object], named: str
) -> None:
    refused = replace(spec(TELL), **change)  # type: ignore[arg-type]
    with pytest.raises(VariantError, match="the Docker engine can") as caught, engine.running(refused):
        pytest.fail("it ran")
    assert named in str(caught.value)


def test_a_program_that_the_environment_lacks_is_named(engine: ProcessEngine) -> None:
    lacking = replace(spec(TELL), argv=("gunicorn-of-old",))
    with pytest.raises(VariantError, match="no program 'gunicorn-of-old'"), engine.running(lacking):
        pytest.fail("it ran")


def test_a_cpu_that_is_not_there_is_named(engine: ProcessEngine) -> None:
    with (
        pytest.raises(EnvironmentProblem, match="CPU 1023"),
        engine.running(replace(spec(TELL), cpus=(1023,))),
    ):
        pytest.fail("it ran")


@pytest.mark.promise(12)
def test_a_reserved_port_is_given_to_nobody_but_the_server() -> None:
    with reserved_port() as port:
        with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
            stranger.bind(("127.0.0.1", port))
        address = ("127.0.0.1", port)
        with socket.create_server(address) as server, socket.create_connection(address) as client:
            assert server.accept()[1] == client.getsockname()


@pytest.mark.promise(12)
def test_many_reservations_never_meet() -> None:
    with reserved_port() as mine:
        found = set()
        for _ in range(2000):
            with reserved_port() as other:
                found.add(other)
    assert mine not in found


@pytest.mark.promise(1)
def test_a_killed_harness_leaves_no_server(tmp_path: Path) -> None:
    program = f"""
import pathlib, sys, time
from harness.adapters.process_engine import ProcessEngine
from tests.adapters.test_process_engine import WITH_STUBBORN_CHILD, spec, until
engine = ProcessEngine(pathlib.Path({str(tmp_path)!r}))
with engine.running(spec(WITH_STUBBORN_CHILD, "polite")) as deployment:
    until(lambda: "\\n" in deployment.log())
    print(deployment.log().strip(), flush=True)
    time.sleep(60)
"""
    harness = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert harness.stdout is not None
    child = int(harness.stdout.readline())
    harness.kill()
    harness.communicate()
    until(lambda: not is_alive(child))
