"""advise, export and compare on real containers, as a team uses them in its own directory."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import jsonschema
import pytest
import yaml
from docker import DockerClient

from harness import stored_advice
from harness.adapters.docker_build import base_image
from tests.adapters.test_versions import git
from tests.outcomes import assert_measured

pytestmark = [pytest.mark.engine, pytest.mark.alone, pytest.mark.timeout(600)]

HARNESS = Path(sys.executable).with_name("harness")
QUICK_START = Path(__file__).parents[2] / "docs" / "quick-start.md"
PROJECT = "harness-test-export"
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
measure_s = 0.8
[[scenarios.requests]]
path = "/work"
expect = { json = { total = true } }
[design]
blocks = 3
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


def test_a_commit_that_does_more_work_is_a_regression(team: Path) -> None:
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


@contextmanager
def composed(directory: Path) -> Iterator[str]:
    """The exported services by Debian's own docker-compose; the address of the app."""
    base, _ = base_image(docker.from_env(), None)
    if shutil.which("docker-compose") is None:
        assert os.environ.get("REQUIRE_ENGINE") != "1", "scripts/setup-test-tools.sh installs docker-compose"
        pytest.skip("docker-compose is not here")
    project = ["docker-compose", "--project-name", PROJECT]
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


def test_the_quick_start_leads_from_an_app_to_files_that_run(tmp_path: Path, client: DockerClient) -> None:
    """Command by command, in a directory that holds nothing but the app."""
    team = tmp_path / "orders"
    team.mkdir()
    said: dict[str, str] = {}
    for name, command in steps(QUICK_START.read_text(encoding="utf-8")):
        if name is not None:
            (team / name).write_text(command)
            continue
        _, *arguments = shlex.split(command)
        more = ("--wait",) if arguments[0] in ("run", "advise") else ()
        done = harness(team, *arguments, *more)
        if arguments[0] == "run":
            assert_measured(done.returncode, done.stdout + done.stderr)
        else:
            assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
        said[arguments[0]] = " ".join(done.stdout.split())
    assert list(said) == ["init", "plan", "run", "advise", "export"]
    assert "with 1 worker on 1 CPU and" in said["advise"]
    assert "It ran under its limit of" in said["advise"]
    searched = max(path for path in (team / "results").iterdir() if path.name.endswith("-advice"))
    advised = json.loads((searched / "report" / "advice.json").read_text())
    jsonschema.validate(advised, stored_advice.json_schema())
    chosen = advised["chosen"]["variant"]
    assert 48 <= chosen["memory_mib"] <= 160
    shown = " ".join(harness(team, "show", searched.name).stdout.split())
    assert shown.startswith(f"Deploy {chosen['recipe']} with 1 worker")
    services = yaml.safe_load((team / "deploy" / "compose.yaml").read_text())["services"]
    assert services["app"]["mem_limit"] == f"{chosen['memory_mib']}m"
    assert services["app"]["build"] == {"context": "..", "dockerfile": "deploy/Dockerfile"}
    with composed(team / "deploy") as address:
        (container,) = client.containers.list(filters={"label": f"com.docker.compose.project={PROJECT}"})
        host = container.attrs["HostConfig"]
        assert host["Memory"] == chosen["memory_mib"] * 2**20
        assert (host["NanoCpus"], host["ReadonlyRootfs"], host["CapDrop"]) == (1_000_000_000, True, ["ALL"])
        assert container.attrs["Config"]["User"] == "10001:10001"
        assert _answer(f"{address}/orders/17") == {"id": 17, "total": sum(n * n for n in range(500))}


def steps(page: str) -> Iterator[tuple[str | None, str]]:
    """Files of a page by name with their text, and the commands of its console blocks, in order."""
    fence = r"(?:`(?P<name>[\w./-]+)`\n\n)?```(?P<kind>\w*)\n(?P<text>.*?)```"
    for found in re.finditer(fence, page, re.DOTALL):
        if found["kind"] == "console":
            for line in found["text"].splitlines():
                yield None, line.removeprefix("$ ")
        elif found["name"]:
            yield found["name"], found["text"]


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
