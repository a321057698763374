"""What only containers can show. What every engine promises is in tests/contract."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from docker import DockerClient

from harness.adapters import docker_deployment, ownership
from harness.adapters.docker_build import base_image
from harness.adapters.docker_engine import DockerEngine
from harness.adapters.docker_network import NetworkRoute
from harness.deployment import NetworkPath
from harness.errors import BuildFailed, EnvironmentProblem, TrialError
from tests.adapters.containers import by_role, companion, container_of, eventually, of_run, server
from tests.contract.rig import CPUS, DOCKERFILE, RECIPE, SPEC

pytestmark = pytest.mark.engine


# What a container may do


@pytest.mark.promise(21)
def test_every_container_is_hardened_pinned_and_labelled(
    engine: DockerEngine, image: str, client: DockerClient, run_id: str
) -> None:
    with server(engine, image, cpu_quota=0.5, memory_mib=64) as deployment:
        with companion(engine, image, deployment) as channel:
            channel.receive(20)
            for role, cpus in (("server", CPUS[-1:]), ("generator", CPUS[:1])):
                container = by_role(client, run_id, role)
                host = container.attrs["HostConfig"]
                assert host["ReadonlyRootfs"]
                # Podman spells out which they are.
                assert host["CapDrop"] == ["ALL"] or container.attrs["EffectiveCaps"] in (None, [])
                assert not host["CapAdd"]
                assert not host["Privileged"]
                assert [option.partition(":")[0] for option in host["SecurityOpt"]] == ["no-new-privileges"]
                assert host["PidsLimit"] == 32_768
                assert host["CpusetCpus"] == ",".join(map(str, cpus))
                assert host["RestartPolicy"]["Name"] in ("", "no")
                assert not host["Binds"]
                assert not host["PortBindings"]
                assert image.endswith(container.attrs["Image"])
                assert container.attrs["Config"]["User"] == "10001:10001"
                assert ownership.labels(run_id).items() <= container.labels.items()
        limits = by_role(client, run_id, "server").attrs["HostConfig"]
        assert limits["NanoCpus"] == 500_000_000
        assert limits["Memory"] == limits["MemorySwap"] == 64 << 20


@pytest.mark.promise(21)
def test_only_tmp_can_be_written(engine: DockerEngine, image: str) -> None:
    program = """
import pathlib
for path in ("/tmp/x", "/dev/shm/x", "/x", "/home/x"):
    try: pathlib.Path(path).write_text("x"); print(path, "written", flush=True)
    except OSError as error: print(path, type(error).__name__, flush=True)
"""
    with server(engine, image, argv=("python3", "-c", program)) as deployment:
        eventually(lambda: not deployment.state().running)
    said = dict(line.split() for line in deployment.log().splitlines())
    assert said == {"/tmp/x": "written", "/dev/shm/x": "written", "/x": "OSError", "/home/x": "OSError"}


@pytest.mark.promise(21)
@pytest.mark.parametrize(("kept", "says"), [(("SETUID",), "1234"), ((), "PermissionError")])
def test_a_server_keeps_the_capabilities_that_its_target_names_and_no_others(
    engine: DockerEngine, image: str, kept: tuple[str, ...], says: str
) -> None:
    program = """
import os
try: os.setuid(1234); print(os.getuid(), flush=True)
except OSError as error: print(type(error).__name__, flush=True)
try: os.chown("/tmp", 1, 1)
except OSError as error: print(type(error).__name__, flush=True)
"""
    argv = ("python3", "-c", program)
    with server(engine, image, argv=argv, user="0:0", capabilities=kept) as deployment:
        eventually(lambda: not deployment.state().running)
    assert deployment.log().split() == [says, "PermissionError"]


# The four network paths


@pytest.mark.parametrize("path", ["shared", "published", "host"])
def test_the_companion_reaches_the_server_on_loopback(
    engine: DockerEngine, image: str, path: NetworkPath
) -> None:
    with (
        server(engine, image, network=path, env=_listening_for(path)) as deployment,
        companion(engine, image, deployment) as channel,
    ):
        assert deployment.base_url.startswith("http://127.0.0.1:")
        assert channel.receive(20) == "hello"
        channel.send(f"get {deployment.base_url}/")
        assert channel.receive(30) == "well met"


@pytest.mark.promise(21)
def test_on_the_shared_path_the_server_has_loopback_only(
    engine: DockerEngine, image: str, client: DockerClient, run_id: str
) -> None:
    with server(engine, image) as deployment, companion(engine, image, deployment):
        container = by_role(client, run_id, "server")
        assert list(container.attrs["NetworkSettings"]["Networks"]) == ["none"]
        generator = by_role(client, run_id, "generator")
        assert generator.attrs["HostConfig"]["NetworkMode"] == f"container:{container.id}"


@pytest.mark.promise(12)
def test_a_published_port_is_free_and_on_loopback(
    engine: DockerEngine, image: str, client: DockerClient
) -> None:
    with (
        server(engine, image, network="published") as one,
        server(engine, image, network="published") as other,
    ):
        assert one.base_url != other.base_url
        for deployment in (one, other):
            ports = container_of(client, deployment).attrs["NetworkSettings"]["Ports"]
            (binding,) = ports["8000/tcp"]
            assert binding["HostIp"] == "127.0.0.1"
            assert deployment.base_url == f"http://127.0.0.1:{binding['HostPort']}"


def test_the_bridge_is_the_runs_own_and_goes_with_it(
    engine: DockerEngine, image: str, client: DockerClient, run_id: str
) -> None:
    with server(engine, image, network="bridge") as deployment, companion(engine, image, deployment):
        for role in ("server", "generator"):
            networks = by_role(client, run_id, role).attrs["NetworkSettings"]["Networks"]
            assert list(networks) == [f"harness-{run_id}-{os.getpid()}"]
        settings = container_of(client, deployment).attrs["NetworkSettings"]
        ((_, network),) = settings["Networks"].items()
        address = network["IPAddress"]
        assert deployment.base_url == f"http://{address}:8000"
        assert not any(settings["Ports"].values())
    engine.close()
    assert of_run(client, run_id) == []


def _listening_for(path: NetworkPath) -> Mapping[str, str]:
    """A published server is reached through its container's own address, so it listens on all of them."""
    return {**SPEC.env, "HOST": "0.0.0.0" if path == "published" else "127.0.0.1"}


# How servers end


@pytest.mark.promise(15)
def test_a_server_killed_from_outside_is_seen(engine: DockerEngine, image: str, client: DockerClient) -> None:
    with server(engine, image) as deployment:
        container_of(client, deployment).kill("SIGKILL")
        assert eventually(lambda: not deployment.state().running)
        assert deployment.state().exit_code == 137
        assert not deployment.state().oom_killed


@pytest.mark.promise(14)
def test_a_server_out_of_memory_is_seen_and_remembered(engine: DockerEngine, image: str) -> None:
    program = "print('eating', flush=True)\nx = []\nwhile True: x.append(bytearray(4 << 20))"
    with server(engine, image, argv=("python3", "-c", program), memory_mib=32) as deployment:
        assert eventually(lambda: not deployment.state().running)
    assert deployment.state().oom_killed
    assert deployment.state().exit_code == 137
    assert "eating" in deployment.log()


def test_a_program_that_is_not_there_fails_the_trial_and_leaves_nothing(
    engine: DockerEngine, image: str, client: DockerClient, run_id: str
) -> None:
    with pytest.raises(TrialError, match="no-such-program"), server(engine, image, argv=("no-such-program",)):
        pass
    assert of_run(client, run_id) == []


def test_a_server_that_ends_at_once_fails_the_trial_with_its_last_words(
    engine: DockerEngine, image: str, client: DockerClient, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A published port is there until the server has ended: wait for that before it is looked up.
    base_url = NetworkRoute.base_url

    def later(route: NetworkRoute, _: Mapping[str, Any]) -> str:
        container = by_role(client, run_id, "server", all=True)
        container.wait(timeout=20)
        container.reload()
        return base_url(route, container.attrs["NetworkSettings"])

    monkeypatch.setattr(NetworkRoute, "base_url", later)
    argv = ("python3", "-c", "print('no database', flush=True); raise SystemExit(1)")
    with pytest.raises(TrialError) as caught, server(engine, image, argv=argv, network="published"):
        pass
    assert "ended as soon" in str(caught.value)
    assert str(caught.value).splitlines()[-1] == "no database"


def test_log_and_state_are_there_after_a_removal_by_hand(
    engine: DockerEngine, image: str, client: DockerClient
) -> None:
    with server(engine, image) as deployment:
        container_of(client, deployment).remove(force=True)
        with pytest.raises(TrialError, match=SPEC.name):
            deployment.state()
    assert not deployment.state().running
    assert "no such container" in deployment.log().lower()


def test_an_image_that_is_not_there_fails_the_trial(engine: DockerEngine) -> None:
    with pytest.raises(TrialError, match=r"[Nn]o such image"), server(engine, "sha256:" + "0" * 64):
        pass


def test_the_stats_of_the_engine_stand_in_for_cgroup_files_out_of_reach(
    engine: DockerEngine, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(engine, image) as deployment, companion(engine, image, deployment) as channel:
        channel.send(f"get {deployment.base_url}/burn")
        assert [channel.receive(30) for _ in range(2)] == ["hello", "well met"]
        files = deployment.reading()
        monkeypatch.setattr(deployment, "_cgroup", None)
        told = deployment._client.api.stats(deployment.container_id, stream=False, one_shot=True)
        if "stats" not in told["memory_stats"]:  # as of Podman's
            with pytest.raises(EnvironmentProblem, match="memory is cache"):
                deployment.reading()
            return
        stats = deployment.reading()
        assert stats.cpu_s == pytest.approx(files.cpu_s, abs=0.1)
        assert stats.working_set_bytes == pytest.approx(files.working_set_bytes, rel=0.2)
        assert deployment.memory() is None


def test_a_process_of_ours_with_the_servers_number_is_not_taken_for_it(
    engine: DockerEngine, image: str, client: DockerClient
) -> None:
    with server(engine, image) as deployment:
        container = container_of(client, deployment)
        container.attrs["State"]["Pid"] = os.getpid()
        assert docker_deployment._cgroup_files(container, CPUS) is None


# Builds


@pytest.mark.promise(13)
def test_one_recipes_failure_shows_its_last_lines_and_spares_its_neighbours(
    engine: DockerEngine, project: Path
) -> None:
    broken = "FROM ${BASE_IMAGE} AS broken\nRUN for i in $(seq 40); do echo line $i; done; exit 9\n"
    arg, _, tiny = DOCKERFILE.partition("\n")
    (project / "Dockerfile.variants").write_text(f"{arg}\n{broken}{tiny}")
    with pytest.raises(BuildFailed) as caught:
        engine.build("broken")
    shown = caught.value.log_tail.splitlines()
    # Of which Podman leaves one empty.
    assert len(shown) in (19, 20)
    assert "line 40" in shown
    assert re.search(r"(code: |status )9", shown[-1])
    assert "line 1" in (project / ".harness/builds/broken.log").read_text().splitlines()
    assert engine.build(RECIPE).startswith("sha256:")


def test_images_tell_their_recipe(engine: DockerEngine, image: str, client: DockerClient) -> None:
    found = client.images.get(image)
    assert found.labels["harness.recipe"] == RECIPE
    # Podman puts a registry before it.
    assert any(tag.endswith(f"harness/{RECIPE}:latest") for tag in found.tags)


def test_a_base_image_that_is_not_there_is_named(project: Path, run_id: str) -> None:
    with pytest.raises(EnvironmentProblem, match=r"(?s)no-such-image:at-all.*setup-base-image\.sh"):
        DockerEngine(project, run_id, base_image="no-such-image:at-all")


@contextmanager
def image_that_says(client: DockerClient, image: str, setting: str) -> Iterator[str]:
    """The id of an image like another, with one more environment variable."""
    like = client.containers.create(image, command=["true"])
    made = client.api.commit(like.id, changes=[f"ENV {setting}"])["Id"]
    try:
        yield made
    finally:
        like.remove()
        client.images.remove(made, force=True)


@pytest.mark.promise(19)
def test_tags_that_move_during_the_run_change_nothing(
    project: Path, client: DockerClient, run_id: str
) -> None:
    base = base_image(client, None)[1]
    base_tag, built_tag = f"harness-test-base:{run_id}", f"harness/{RECIPE}:latest"
    client.images.get(base).tag(*base_tag.split(":"))
    engine = DockerEngine(project, run_id, base_image=base_tag)
    try:
        image = engine.build(RECIPE)
        with image_that_says(client, image, "MOVED=yes") as other:
            for tag in (base_tag, built_tag):
                client.images.get(other).tag(*tag.split(":"))
            with server(engine, image) as deployment, companion(engine, image, deployment) as channel:
                assert channel.receive(20) == "hello"
                for role in ("server", "generator"):
                    assert by_role(client, run_id, role).attrs["Image"] == image
            assert engine.build(RECIPE) == image
            assert engine.describe()["base_image_id"] == base
            client.images.get(base).tag(*base_tag.split(":"))
    finally:
        engine.close()
        client.images.remove(base_tag)
