"""Deployments of several containers, and TLS, as real as they get: nginx before the app, real load."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from docker import DockerClient
from docker.models.containers import Container

from harness.adapters import ownership
from harness.execution.equipment import deployment_spec
from harness.execution.trial import run_trial
from harness.model import Validity, Variant
from tests.adapters.containers import of_run
from tests.adapters.trials import ITEMS, bench_for, trial_of

pytestmark = [pytest.mark.engine, pytest.mark.alone]

REPLICAS = Variant(recipe="nginx-replicas", workers=2)


def servers_of(client: DockerClient, run_id: str) -> list[Container]:
    """The containers of the deployment, in the order in which they were started."""
    labels = [f"{ownership.RUN}={run_id}", "harness.role=server"]
    return sorted(client.containers.list(filters={"label": labels}), key=lambda found: str(found.name))


def test_replicas_share_the_load_and_nothing_else_gets_in(client: DockerClient, run_id: str) -> None:
    with bench_for(run_id, REPLICAS) as equipment:
        with (
            equipment.engine.running(deployment_spec(trial_of(REPLICAS), equipment)) as deployment,
            equipment.generators.attached(deployment) as generator,
        ):
            generator.wait_ready(workers=2, timeout_s=60, scenario=ITEMS, ready="/health/ready", inside=True)
            load = generator.drive(ITEMS, seed=1, progress=lambda _: None)
            facts = generator.probe()
            assert load.ok == load.scheduled == sum(worker.requests for worker in facts.workers)
            assert all(worker.requests > load.ok / 4 for worker in facts.workers)
            assert (facts.front or "").startswith("nginx/")
            front, *replicas = servers_of(client, run_id)
            assert len(replicas) == 2
            assert list(front.attrs["NetworkSettings"]["Networks"]) == ["none"]
            for container in (front, *replicas):
                host = container.attrs["HostConfig"]
                assert host["ReadonlyRootfs"]
                assert host["CapDrop"] == ["ALL"]
                assert host["SecurityOpt"] == ["no-new-privileges:true"]
                assert not host["PortBindings"]
                assert not host["Binds"]
                assert host["CpusetCpus"] == front.attrs["HostConfig"]["CpusetCpus"]
                assert container.attrs["Config"]["User"] == "10001:10001"
                assert ownership.labels(run_id).items() <= container.labels.items()
            for replica in replicas:
                host = replica.attrs["HostConfig"]
                modes = {host[mode] for mode in ("NetworkMode", "PidMode", "IpcMode")}
                assert modes == {f"container:{front.id}"}
        assert of_run(client, run_id) == []


def test_a_replica_killed_under_load_makes_the_trial_invalid(client: DockerClient, run_id: str) -> None:
    killed: list[Container] = []

    def kill_one(_: Mapping[str, float]) -> None:
        if not killed:
            killed.append(servers_of(client, run_id)[-1])
            killed[0].kill("SIGKILL")

    with bench_for(run_id, REPLICAS) as equipment:
        outcome = run_trial(trial_of(REPLICAS), equipment, progress=kill_one)
        assert of_run(client, run_id) == []
    assert killed
    assert outcome.record.validity is Validity.INVALID
    assert any(reason.startswith("I7: the server e") for reason in outcome.record.reasons)
    assert "server-2 | " in outcome.log


@pytest.mark.parametrize(("recipe", "front"), [("uvicorn-tls", None), ("nginx-tls", "nginx")])
def test_load_over_tls_is_what_the_matrix_says(
    client: DockerClient, run_id: str, recipe: str, front: str | None
) -> None:
    variant = Variant(recipe=recipe, workers=1)
    with bench_for(run_id, variant) as equipment:
        record = run_trial(trial_of(variant), equipment, progress=lambda _: None).record
    assert record.facts is not None
    assert record.facts.tls == "TLSv1.3 TLS_AES_256_GCM_SHA384"
    assert record.facts.scheme == "https"
    assert (record.facts.front or "").partition("/")[0] == (front or "")
    assert record.metrics is not None
    assert record.metrics.errors == 0
    assert not [reason for reason in record.reasons if not reason.startswith(("I4", "I5"))], record.reasons
    assert of_run(client, run_id) == []
