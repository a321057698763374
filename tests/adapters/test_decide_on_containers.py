"""advise, export and compare on real containers, as a team uses them in its own directory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest
import yaml
from docker import DockerClient

from harness.adapters.docker_build import base_image
from tests.adapters.test_versions import git

pytestmark = [pytest.mark.engine, pytest.mark.alone, pytest.mark.timeout(600)]

HARNESS = Path(sys.executable).with_name("harness")
APP = """
from fastapi import FastAPI

app = FastAPI()

@app.get("/work")
def work():
    total = sum(n * n for n in range({steps}))
    return {{"total": total > 0}}
"""
MATRIX = """
name = "team"
[target]
app = "main:app"
[factors]
recipe = ["uvicorn-standard"]
[[scenarios]]
name = "work"
load = { clients = 4 }
warmup_s = 0.3
measure_s = 1.0
[[scenarios.requests]]
path = "/work"
expect = { json = { total = true } }
[design]
blocks = 5
budget_s = 150
wrapper_cost = false
"""


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """A repository whose newest commit does three times the work of the one before."""
    directory = tmp_path / "team"
    directory.mkdir()
    (directory / "requirements.txt").write_text("fastapi\n")
    (directory / "harness.toml").write_text(MATRIX)
    (directory / "main.py").write_text(APP.format(steps=2_000))
    git(directory, "init", "--quiet")
    git(directory, "add", ".")
    git(directory, "commit", "--quiet", "-m", "light")
    git(directory, "tag", "light")
    (directory / "main.py").write_text(APP.format(steps=12_000))
    git(directory, "commit", "--quiet", "-a", "-m", "heavy")
    return directory


def harness(directory: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [HARNESS, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=directory,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "150"},
        timeout=400,
        check=False,
    )


def test_a_commit_that_does_more_work_is_a_regression_and_the_same_commit_is_none(team: Path) -> None:
    limits = ("--fail-if", "throughput<-15%", "--json", "found.json", "--markdown", "found.md", "--wait")
    worse = harness(team, "compare", "light", "HEAD", *limits)
    assert worse.returncode == 1, worse.stdout + worse.stderr
    found = json.loads((team / "found.json").read_text())
    assert found["outcome"] == "regression"
    assert found["paired"] is True
    (judged,) = [change for change in found["changes"] if change["outcome"]]
    assert judged["ratio"]["hi"] < 0.85
    assert (
        (team / "found.md").read_text().startswith("**Regression: HEAD against light: throughput on work -")
    )
    better = harness(
        team, "compare", "HEAD", "light", "--fail-if", "throughput<-15%", "--blocks", "3", "--wait"
    )
    assert better.returncode == 0, better.stdout + better.stderr


@contextmanager
def composed(directory: Path) -> Iterator[str]:
    """The exported services by Debian's own docker-compose; the address of the app."""
    base, _ = base_image(docker.from_env(), None)
    project = ["docker-compose", "--project-name", "harness-test-export"]
    checked = subprocess.run([*project, "config", "--quiet"], cwd=directory, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    try:
        for step in (["build", "--build-arg", f"BASE_IMAGE={base}"], ["up", "--detach"]):
            done = subprocess.run(
                [*project, *step], cwd=directory, capture_output=True, text=True, timeout=300
            )
            assert done.returncode == 0, done.stdout + done.stderr
        yield "http://127.0.0.1:8000"
    finally:
        subprocess.run([*project, "down", "--rmi", "local"], cwd=directory, capture_output=True, timeout=120)


def test_advice_is_found_confirmed_under_its_limit_exported_and_runs_as_exported(
    team: Path, client: DockerClient
) -> None:
    asked = harness(
        team,
        *("advise", "--slo", "p95<400ms,errors<1%", "--rate", "40", "--workers", "1,2", "--budget", "4"),
        "--wait",
    )
    assert asked.returncode == 0, asked.stdout + asked.stderr
    words = " ".join(asked.stdout.split())
    assert "Deploy uvicorn-standard with 1 worker on 1 CPU and" in words
    assert "It ran under its limit of" in words
    (run,) = [path for path in (team / "results").iterdir() if path.is_dir()]
    advice = json.loads((run / "report" / "advice.json").read_text())
    limit_mib = advice["chosen"]["variant"]["memory_mib"]
    assert 48 <= limit_mib <= 128
    shown = harness(team, "show")
    assert " ".join(shown.stdout.split())[:80] == words[words.index("Deploy") :][:80]

    written = harness(team, "export", "--as", "compose", "--as", "k8s")
    assert written.returncode == 0, written.stdout + written.stderr
    services = yaml.safe_load((team / "deploy" / "compose.yaml").read_text())["services"]
    assert services["app"]["mem_limit"] == f"{limit_mib}m"
    assert services["app"]["build"] == {"context": "..", "dockerfile": "deploy/Dockerfile"}
    if shutil.which("docker-compose") is None:
        assert os.environ.get("REQUIRE_ENGINE") != "1", "scripts/setup-test-tools.sh installs docker-compose"
        pytest.skip("docker-compose is not here")
    with composed(team / "deploy") as address:
        (container,) = client.containers.list(
            filters={"label": "com.docker.compose.project=harness-test-export"}
        )
        host = container.attrs["HostConfig"]
        assert host["Memory"] == limit_mib * 2**20
        assert (host["NanoCpus"], host["ReadonlyRootfs"], host["CapDrop"]) == (1_000_000_000, True, ["ALL"])
        assert container.attrs["Config"]["User"] == "10001:10001"
        assert _answer(address + "/work") == {"total": True}


def _answer(url: str, within_s: float = 20) -> object:
    """Once the server is up."""
    deadline_s = time.monotonic() + within_s
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return json.loads(answer.read())
        except OSError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.1)
