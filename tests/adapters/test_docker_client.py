"""Which engine is asked, and what is said of one that cannot be measured from here."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import psutil
import pytest
from docker.errors import DockerException

from harness.adapters.docker_client import connect, engine_client, refuse_another_machine
from harness.errors import EngineUnavailable, EnvironmentProblem


@pytest.fixture
def contexts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration of the docker program with the context "away" in use."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "away"}))
    for name in ("away", "other"):
        meta = tmp_path / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
        meta.mkdir(parents=True)
        endpoint = {"Host": f"unix://{tmp_path}/{name}.sock", "SkipTLSVerify": False}
        (meta / "meta.json").write_text(
            json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": endpoint}})
        )
    return tmp_path


@pytest.mark.usefixtures("contexts")
def test_the_context_in_use_is_asked_and_named_when_it_is_dead() -> None:
    with pytest.raises(EngineUnavailable, match=r"away\.sock \(Docker context away\)"):
        connect()


def test_the_environment_comes_before_the_context_in_use(
    contexts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "other")
    with pytest.raises(EngineUnavailable, match=r"other\.sock \(Docker context other\)"):
        connect()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{contexts}/host.sock")
    with pytest.raises(EngineUnavailable, match=r"host\.sock \("):
        connect()


@pytest.mark.usefixtures("contexts")
def test_a_context_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "gone")
    with pytest.raises(DockerException, match="no Docker context 'gone'"):
        engine_client(timeout_s=1)
    with pytest.raises(EngineUnavailable, match="no Docker context 'gone'"):
        connect()


HERE = {"KernelVersion": os.uname().release, "MemTotal": psutil.virtual_memory().total}


@pytest.mark.parametrize(
    "there",
    [{"KernelVersion": "6.10.14-linuxkit"}, {"MemTotal": HERE["MemTotal"] // 2}],
    ids=["another kernel, as in Docker Desktop", "another machine with the same kernel"],
)
def test_an_engine_on_another_machine_is_refused_with_both_named(there: dict[str, Any]) -> None:
    refuse_another_machine(HERE)
    with pytest.raises(
        EnvironmentProblem, match=r"(?s)runs on another machine \(kernel .*; here: kernel .*Fix: "
    ):
        refuse_another_machine({**HERE, **there})
