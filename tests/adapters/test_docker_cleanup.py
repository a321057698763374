"""Nothing of ours stays behind, nothing of anyone else's is touched, whoever dies first."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from docker import DockerClient
from docker.models.containers import Container

from harness.adapters import docker_client, ownership
from harness.adapters.docker_engine import DockerEngine
from harness.adapters.engines import open_engine
from harness.errors import EngineUnavailable, EnvironmentProblem, TrialError
from tests.adapters.containers import companion, eventually, of_run, server
from tests.adapters.cuttable_proxy import CuttableProxy
from tests.contract.rig import DOCKERFILE, RECIPE

pytestmark = [pytest.mark.engine, pytest.mark.alone]

ROOT = Path(__file__).parent.parent.parent


# What is ours and what is not


@contextmanager
def stopped_container(client: DockerClient, image: str, labels: Mapping[str, str]) -> Iterator[Container]:
    container = client.containers.create(image, command=["true"], labels=dict(labels))
    try:
        yield container
    finally:
        with ownership.already_gone_is_fine():
            container.remove(force=True)


@pytest.mark.promise(3)
def test_a_users_stopped_container_and_untagged_image_stay_as_they_are(
    engine: DockerEngine, image: str, client: DockerClient, run_id: str
) -> None:
    with stopped_container(client, image, {"theirs": "yes"}) as theirs:
        untagged = theirs.commit()
        try:
            with server(engine, image, network="published"):
                pass
            engine.close()
            ownership.remove_leftovers(client)
            assert of_run(client, run_id) == []
            before = theirs.attrs["State"]
            theirs.reload()
            assert theirs.attrs["State"] == before
            assert client.images.get(str(untagged.id)).tags == []
        finally:
            client.images.remove(str(untagged.id))


@pytest.mark.promise(2)
def test_leftovers_of_dead_owners_go_and_others_stay(
    engine: DockerEngine, image: str, client: DockerClient, run_id: str
) -> None:
    dead = {**ownership.labels("dead-run"), ownership.START: "1"}
    abroad = {**dead, ownership.HOST: "another-machine"}
    with (
        server(engine, image) as live,
        stopped_container(client, image, dead) as left,
        stopped_container(client, image, abroad) as foreign,
    ):
        removed = ownership.remove_leftovers(client)
        assert left.name in removed
        assert foreign.name not in removed
        assert live.state().running
        assert ownership.leftovers(client) == []


def holder(project: Path, run_id: str, **env: str) -> subprocess.Popen[str]:
    """A harness of its own process; see holder.py."""
    argv = [sys.executable, "-m", "tests.adapters.holder", str(project), run_id]
    return subprocess.Popen(
        argv,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        env={**os.environ, **env},
    )


def reaper_of(holder: subprocess.Popen[str]) -> int:
    """The pid of its reaper, once its server runs."""
    assert holder.stdout is not None
    return int(holder.stdout.readline())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
@pytest.mark.promise(1)
def test_nothing_is_left_however_the_harness_dies(
    project: Path, client: DockerClient, run_id: str, number: signal.Signals
) -> None:
    harness = holder(project, run_id)
    assert reaper_of(harness)
    assert len(of_run(client, run_id)) == 3, "two containers and a network"
    harness.send_signal(number)
    assert eventually(lambda: of_run(client, run_id) == [])
    harness.communicate(timeout=30)


def test_a_resumed_run_keeps_its_own_when_the_killed_ones_reaper_sweeps(
    project: Path, client: DockerClient, run_id: str
) -> None:
    killed = holder(project, run_id)
    reaper = reaper_of(killed)
    left = of_run(client, run_id)
    killed.kill()
    engine = DockerEngine(project, run_id)
    try:
        image = engine.build(RECIPE)
        # On a network of its own too: the killed one's may still stand.
        with server(engine, image, network="published") as resumed:
            assert eventually(lambda: ownership.start_time(reaper) is None, within_s=30)
            assert resumed.state().running
            names = of_run(client, run_id)
            assert len(names) == 2
            assert not set(names) & set(left)
    finally:
        engine.close()
        killed.communicate(timeout=30)
    assert of_run(client, run_id) == []


def test_closing_an_engine_spares_another_owner_of_the_same_run(
    engine: DockerEngine, image: str, client: DockerClient, run_id: str
) -> None:
    theirs = {**ownership.labels(run_id), ownership.PID: "1"}
    with stopped_container(client, image, theirs) as container:
        engine.close()
        assert of_run(client, run_id) == [container.name]


def test_two_that_clean_up_at_once_do_not_get_in_each_others_way(
    engine: DockerEngine, image: str, client: DockerClient
) -> None:
    dead = {**ownership.labels("dead-run"), ownership.START: "1"}
    network = client.networks.create("harness-dead-run", labels=dead)
    argv = ["python3", "-c", "import time; time.sleep(120)"]
    for _ in range(3):
        client.containers.run(image, argv, labels=dead, network=network.name, detach=True)
    with ThreadPoolExecutor() as pool:
        cleaners = [pool.submit(ownership.remove_leftovers, client) for _ in range(4)]
    assert "harness-dead-run" in {name for cleaner in cleaners for name in cleaner.result()}
    assert of_run(client, "dead-run") == []


@pytest.mark.promise(2)
def test_the_next_run_removes_what_a_dead_one_left_and_says_so(
    engine: DockerEngine, image: str, client: DockerClient, project: Path, run_id: str
) -> None:
    dead = {**ownership.labels("dead-run"), ownership.START: "1"}
    said: list[str] = []
    with server(engine, image) as live, stopped_container(client, image, dead) as left:
        with open_engine("docker", project, f"{run_id}-next", said.append):
            assert of_run(client, "dead-run") == []
            assert live.state().running
        assert [message for message in said if str(left.name) in message]


def test_what_the_engine_refuses_to_remove_is_a_problem_of_the_environment(
    image: str, client: DockerClient
) -> None:
    dead = {**ownership.labels("dead-run"), ownership.START: "1"}
    network = client.networks.create("harness-dead-run", labels=dead)
    argv = ["python3", "-c", "import time; time.sleep(120)"]
    theirs = client.containers.run(image, argv, network=network.name, detach=True)
    try:
        with pytest.raises(EnvironmentProblem, match=r"harness-dead-run.*active endpoints"):
            ownership.remove_leftovers(client)
        theirs.reload()
        assert theirs.status == "running"
    finally:
        theirs.remove(force=True)
        network.remove()


@pytest.mark.promise(1)
def test_a_build_ends_with_the_harness_and_leaves_no_temporary_file(
    project: Path, client: DockerClient, run_id: str, tmp_path: Path
) -> None:
    # The engine labels nothing while it builds: the step is known by its command.
    (project / "Dockerfile.variants").write_text(f"{DOCKERFILE}RUN sleep 60 # {run_id}\n")

    def building() -> bool:
        steps = (container["Command"] for container in client.api.containers(all=True, trunc=False))
        return any(run_id in step for step in steps)

    temporary = tmp_path / "temporary"
    temporary.mkdir()
    harness = holder(project, run_id, TMPDIR=str(temporary))
    try:
        assert eventually(building, within_s=30)
        assert list(temporary.glob("harness-scratch-*/*")), "the packed context"
    finally:
        harness.kill()
        harness.communicate(timeout=30)
    assert eventually(lambda: not building())
    assert eventually(lambda: not any(temporary.iterdir()), within_s=30)


# An engine that goes away


def test_no_engine_is_told_with_what_mends_it(
    project: Path, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    with pytest.raises(EngineUnavailable, match=r"(?s)nobody\.sock.*setup-engine\.sh"):
        DockerEngine(project, run_id)


def test_without_a_base_image_local_processes_are_measured_unless_containers_were_asked_for(
    project: Path, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_BASE_IMAGE", "no-such-image:at-all")
    said: list[str] = []
    with open_engine("auto", project, run_id, said.append) as engine:
        assert engine.name == "process"
    (message,) = said
    assert re.search(r"(?s)NO CONTAINERS.*no-such-image:at-all.*setup-base-image\.sh", message)
    with (
        pytest.raises(EnvironmentProblem, match="no-such-image:at-all"),
        open_engine("docker", project, run_id, pytest.fail),
    ):
        pass


@pytest.fixture
def proxy(tmp_path: Path, client: DockerClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[CuttableProxy]:
    """The engine behind a socket that can be taken away."""
    with CuttableProxy(tmp_path / "engine.sock") as proxy:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{proxy.path}")
        yield proxy


@pytest.mark.promise(18)
def test_an_engine_that_comes_back_costs_the_trial_and_leaves_nothing(
    proxy: CuttableProxy, project: Path, client: DockerClient, run_id: str
) -> None:
    engine = DockerEngine(project, run_id)
    try:
        image = engine.build(RECIPE)
        with server(engine, image) as deployment, companion(engine, image, deployment) as channel:
            channel.receive(20)
            proxy.cut(away_s=1.0)
            with pytest.raises(TrialError, match="broke and came back"):
                deployment.state()
        assert not deployment.state().running
        assert of_run(client, run_id) == []
    finally:
        engine.close()


def test_the_log_outlives_a_connection_cut_while_the_server_stops(
    proxy: CuttableProxy, project: Path, client: DockerClient, run_id: str
) -> None:
    engine = DockerEngine(project, run_id)
    try:
        image = engine.build(RECIPE)
        with ExitStack() as stack:
            deployment = stack.enter_context(server(engine, image))
            assert eventually(lambda: "listening" in deployment.log())
            proxy.cut(away_s=1.0)
            with pytest.raises(TrialError, match=r"tiny\.w1: stopping it: .* broke and came back"):
                stack.close()
        assert "listening" in deployment.log()
        assert not deployment.state().running
        assert of_run(client, run_id) == []
    finally:
        engine.close()


def test_cleaning_up_on_an_engine_that_goes_away_is_a_problem_of_the_environment(
    proxy: CuttableProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_client, "RECONNECT_S", 0.5)
    client = docker_client.connect()
    proxy.cut(away_s=5.0)
    with pytest.raises(EngineUnavailable, match="dead runs"):
        ownership.remove_leftovers(client)
    client.close()


@pytest.mark.promise(18)
def test_an_engine_that_stays_away_ends_the_run_and_the_reaper_cleans_up_later(
    proxy: CuttableProxy, project: Path, client: DockerClient, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_client, "RECONNECT_S", 0.5)
    engine = DockerEngine(project, run_id)
    image = engine.build(RECIPE)
    with pytest.raises(EngineUnavailable, match="harness clean"), server(engine, image) as deployment:
        proxy.cut(away_s=8.0)
    assert not deployment.state().running
    assert "lost" in deployment.log()
    with pytest.raises(EngineUnavailable):
        engine.close()
    assert len(of_run(client, run_id)) == 1, "it could not be removed yet"
    assert eventually(lambda: of_run(client, run_id) == [], within_s=30)
