"""What every engine promises the lifecycle, whichever it is."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.deployment import DeploymentState
from harness.errors import BuildFailed, DeploymentDied, GeneratorFailed
from tests.contract.rig import NEIGHBOUR, RECIPE, Rig
from tests.fakes import FakeEngine

pytestmark = pytest.mark.process

LARGE = 12_000_000


def test_a_recipe_builds_to_the_same_image_every_time(rig: Rig) -> None:
    assert rig.engine.build(RECIPE) == rig.image


def test_an_unknown_recipe_is_a_failed_build(rig: Rig) -> None:
    with pytest.raises(BuildFailed) as caught:
        rig.engine.build("unheard-of")
    assert caught.value.recipe == "unheard-of"


def test_the_engine_describes_itself_in_plain_text(rig: Rig) -> None:
    described = dict(rig.engine.describe())
    assert rig.engine.name == rig.kind
    assert described["engine"].startswith(rig.kind)
    assert json.loads(json.dumps(described)) == described


def test_the_companion_reaches_the_server(rig: Rig) -> None:
    with rig.pair() as (deployment, channel):
        channel.send(f"get {deployment.base_url}/")
        assert channel.receive(30) == "well met"
        assert deployment.state().running


def test_a_deployment_has_the_name_of_its_trial(rig: Rig) -> None:
    with rig.running(name="tiny.w1.items.03", stop_timeout_s=1.0) as deployment:
        assert deployment.name == "tiny.w1.items.03"


def test_the_server_is_stopped_on_the_way_out_and_its_log_stays(rig: Rig) -> None:
    with rig.pair() as (deployment, channel):
        channel.send(f"get {deployment.base_url}/")
        channel.receive(30)
    state = deployment.state()
    assert not state.running
    assert state.exit_code == 0, "it was asked to end before it was killed"
    assert "listen" in deployment.log()


def test_the_server_is_stopped_when_the_body_raises(rig: Rig) -> None:
    # Process 1 of a container ignores a signal it has no handler for yet, hence the short time.
    with pytest.raises(ZeroDivisionError), rig.running(stop_timeout_s=1.0) as deployment:
        raise ZeroDivisionError
    assert not deployment.state().running


def test_the_port_stands_in_the_command_and_in_the_environment(rig: Rig) -> None:
    with rig.pair() as (deployment, channel):
        channel.send(f"get {deployment.base_url}/")
        channel.receive(30)
        port = deployment.base_url.rpartition(":")[2]
        assert port in deployment.log()
        assert "{port}" not in deployment.log()


def test_cpu_time_only_grows_and_is_the_servers(rig: Rig) -> None:
    with rig.pair() as (deployment, channel):
        before = deployment.reading()
        channel.send(f"get {deployment.base_url}/burn")
        channel.receive(30)
        after = deployment.reading()
        assert after.at_s > before.at_s
        assert after.cpu_s >= before.cpu_s + 0.05
        assert after.working_set_bytes > 0


def test_memory_is_summed_over_the_servers_processes(rig: Rig) -> None:
    with rig.pair() as (deployment, channel):
        channel.send(f"get {deployment.base_url}/")
        channel.receive(30)
        memory = deployment.memory()
        if memory is None:
            pytest.skip("this user may not read the server's memory map")
        assert memory.processes == 1
        assert memory.rss_bytes >= memory.pss_bytes >= memory.uss_bytes > 1_000_000


def test_a_server_that_ends_by_itself_is_seen(rig: Rig) -> None:
    with rig.pair() as (deployment, channel):
        channel.send(f"get {deployment.base_url}/die")
        channel.receive(30)
        _eventually(lambda: not deployment.state().running)
        assert deployment.state().exit_code == 3
        with pytest.raises(DeploymentDied):
            deployment.reading()
        with pytest.raises(DeploymentDied):
            deployment.memory()
    assert deployment.state().exit_code == 3


def test_lines_go_both_ways_in_order(rig: Rig) -> None:
    with rig.pair() as (_, channel):
        for text in ("one", "zwei", "três ✓"):
            channel.send(f"echo {text}")
        assert [channel.receive(20) for _ in range(3)] == ["one", "zwei", "três ✓"]


def test_a_line_of_many_megabytes_arrives_whole(rig: Rig) -> None:
    with rig.pair() as (_, channel):
        channel.send(f"large {LARGE}")
        channel.send("echo behind it")
        assert channel.receive(60) == "x" * LARGE
        assert channel.receive(20) == "behind it"


def test_a_companion_that_says_nothing_is_a_failed_generator(rig: Rig) -> None:
    with rig.pair() as (_, channel):
        channel.send("silence, please")
        with pytest.raises(GeneratorFailed, match=r"within 0\.3 s"):
            channel.receive(0.3)


def test_a_companion_that_ended_is_a_failed_generator(rig: Rig) -> None:
    with rig.pair() as (_, channel):
        channel.send("end it")
        with pytest.raises(GeneratorFailed, match="ended") as caught:
            channel.receive(20)
        if rig.kind != "fake":
            assert "I was told to it" in str(caught.value)
            assert "exit code 7" in str(caught.value)


def test_companions_come_and_go_beside_one_server(rig: Rig) -> None:
    with rig.running() as deployment:
        for _ in range(2):
            with rig.beside(deployment) as channel:
                assert channel.receive(20) == "hello"
                channel.send(f"get {deployment.base_url}/")
                assert channel.receive(30) == "well met"


# Deployments of several processes


def test_several_processes_are_one_deployment(rig: Rig) -> None:
    with rig.running(beside=(NEIGHBOUR,)) as deployment, rig.beside(deployment) as channel:
        assert channel.receive(20) == "hello"
        _eventually(lambda: len(_listening(deployment.log())) == 2)
        ports = _listening(deployment.log())
        assert deployment.base_url.endswith(ports["front"])
        for port in (ports["front"], ports["neighbour"]):
            channel.send(f"get http://127.0.0.1:{port}/")
        answers = [channel.receive(30) for _ in range(2)]
        assert answers[0] == "well met"
        assert answers[1] == "next door" or rig.kind == "fake"
        assert deployment.name == "tiny.w1"
        memory = deployment.memory()
        assert memory is None or memory.processes == 2
        assert deployment.reading().working_set_bytes > 0
        assert deployment.state().running
    assert deployment.state() == DeploymentState(running=False, exit_code=0)
    assert _listening(deployment.log()) == ports


def _listening(log: str) -> dict[str, str]:
    """Port by the name of the process that says it listens there."""
    return dict(re.findall(r"^([\w-]+) \| .*listen.* (\d+)$", log, re.MULTILINE))


def test_one_dead_process_is_a_dead_deployment(rig: Rig) -> None:
    dies = replace(NEIGHBOUR, argv=("python3", "-c", "raise SystemExit(4)"))
    with rig.running(beside=(dies,), stop_timeout_s=1.0) as deployment:
        if isinstance(rig.engine, FakeEngine):  # which runs no programs
            rig.engine.standing[-1].die(4)
        _eventually(lambda: not deployment.state().running)
        assert deployment.state().exit_code == 4
        with pytest.raises(DeploymentDied):
            deployment.reading()


def test_a_companion_needs_a_deployment_of_the_same_engine(rig: Rig) -> None:
    with pytest.raises(TypeError), rig.engine.companion(None, image=rig.image, argv=("true",), cpus=(0,)):  # type: ignore[arg-type]
        pass


def test_closing_one_engine_leaves_anothers_deployment_alone(rig: Rig) -> None:
    other = rig.open()
    with rig.running(stop_timeout_s=1.0) as deployment:
        other.close()
        assert deployment.state().running


def test_an_engine_may_be_closed_twice(rig: Rig) -> None:
    engine = rig.open()
    engine.close()
    engine.close()


def _eventually(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline, "it did not happen within 10 s"
        time.sleep(0.02)
