"""Nothing of ours stays behind, nothing of anyone else's is touched, whoever dies first."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from docker import DockerClient
from docker.models.containers import Container

from harness.adapters import docker_client, ownership
from harness.adapters.docker_engine import DockerEngine
from harness.errors import EngineUnavailable, TrialError
from tests.adapters.containers import companion, eventually, of_run, server
from tests.adapters.cuttable_proxy import CuttableProxy
from tests.contract.rig import DOCKERFILE, RECIPE

pytestmark = pytest.mark.engine

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


def holder(project: Path, run_id: str) -> subprocess.Popen[str]:
    """A harness of its own process; see holder.py."""
    argv = [sys.executable, "-m", "tests.adapters.holder", str(project), run_id]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_however_the_harness_dies(
    project: Path, client: DockerClient, run_id: str, number: signal.Signals
) -> None:
    argv = [sys.executable, "-m", "tests.adapters.holder", str(project), run_id]
    harness = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT)
    assert harness.stdout is not None
    assert harness.stdout.readline() == "running\n"
    assert len(of_run(client, run_id)) == 2, "a container and a network"
    harness.send_signal(number)
    assert eventually(lambda: of_run(client, run_id) == [])
    harness.communicate(timeout=30)


def test_a_build_ends_with_the_harness(project: Path, client: DockerClient, run_id: str) -> None:
    # The engine labels nothing while it builds: the step is known by its command.
    (project / "Dockerfile.variants").write_text(f"{DOCKERFILE}RUN sleep 60 # {run_id}\n")

    def building() -> bool:
        steps = (container["Command"] for container in client.api.containers(all=True, trunc=False))
        return any(run_id in step for step in steps)

    harness = holder(project, run_id)
    try:
        assert eventually(building, within_s=30)
    finally:
        harness.kill()
        harness.communicate(timeout=30)
    assert eventually(lambda: not building())


# An engine that goes away


def test_no_engine_is_told_with_what_mends_it(
    project: Path, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    with pytest.raises(EngineUnavailable, match=r"nobody\.sock.*setup-engine\.sh"):
        DockerEngine(project, run_id)


@pytest.fixture
def proxy(tmp_path: Path, client: DockerClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[CuttableProxy]:
    """The engine behind a socket that can be taken away."""
    with CuttableProxy(tmp_path / "engine.sock") as proxy:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{proxy.path}")
        yield proxy


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
        assert of_run(client, run_id) == []
    finally:
        engine.close()


def test_an_engine_that_stays_away_ends_the_run_and_the_reaper_cleans_up_later(
    proxy: CuttableProxy, project: Path, client: DockerClient, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_client, "RECONNECT_S", 0.5)
    engine = DockerEngine(project, run_id)
    image = engine.build(RECIPE)
    with pytest.raises(EngineUnavailable, match="harness clean"), server(engine, image):
        proxy.cut(away_s=8.0)
    with pytest.raises(EngineUnavailable):
        engine.close()
    assert len(of_run(client, run_id)) == 1, "it could not be removed yet"
    assert eventually(lambda: of_run(client, run_id) == [], within_s=30)
