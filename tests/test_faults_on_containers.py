"""The command on real containers, killed, interrupted, and told secrets."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker import DockerClient

from harness.adapters import ownership
from tests.adapters.containers import eventually
from tests.test_end_to_end import HARNESS, Checkout, write_matrix

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

PHASES = {
    "building": "building uvicorn-standard",
    "calibrating": "calibrating",
    "measuring the wrapper": "measuring what the wrapper",
    "measuring": "[1-",
}

IN_BRIEF = ("building", "measuring")
"""The others follow on demand."""


@pytest.fixture
def client() -> Iterator[DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def left_by(client: DockerClient, pid: int) -> list[str]:
    """Containers and networks of a process."""
    wanted = {"label": f"{ownership.PID}={pid}"}
    found = [*client.containers.list(all=True, filters=wanted), *client.networks.list(filters=wanted)]
    return [str(one.name) for one in found]


def until_it_says(process: subprocess.Popen[str], begins: str) -> None:
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith(begins):
            return
    pytest.fail(f"it never said {begins!r}:\n{''.join(said)}")


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    "phase",
    [
        pytest.param(said, id=phase, marks=[] if phase in IN_BRIEF else [pytest.mark.long])
        for phase, said in PHASES.items()
    ],
)
def test_killed_in_any_phase_it_leaves_nothing_and_goes_on(
    checkout: Checkout, client: DockerClient, phase: str
) -> None:
    matrix = write_matrix(checkout.directory, blocks=2, wrapper_cost="true")
    process = checkout.start("--matrix", matrix)
    until_it_says(process, phase)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    assert eventually(lambda: left_by(client, process.pid) == [], within_s=30)
    scratch = checkout.directory.glob("harness-scratch-*")
    assert eventually(lambda: not any(scratch), within_s=30)
    begun = checkout.results.exists() and any(checkout.results.iterdir())
    again = checkout.start("--matrix", matrix, *(["--resume"] if begun else []))
    until_it_says(again, "[1-")
    again.send_signal(signal.SIGINT)
    again.communicate(timeout=60)
    assert again.returncode == 130


@pytest.mark.promise(9)
def test_a_second_interrupt_ends_it_at_once_and_the_reaper_cleans_up(
    checkout: Checkout, client: DockerClient
) -> None:
    process = checkout.start("--matrix", write_matrix(checkout.directory, blocks=2))
    until_it_says(process, "[1-")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    assert process.returncode in (130, -signal.SIGINT), said
    assert eventually(lambda: left_by(client, process.pid) == [], within_s=30)


CANARY = 'canary-5f2e"7\\4b1d'
"""With what JSON and shells would escape."""
TOKEN = "token-91c4e0aa"
APP = f"""
import os, sys
from fastapi import FastAPI, Header, HTTPException

app = FastAPI()
print("started with", os.environ["PASSWORD"], file=sys.stderr, flush=True)


@app.post("/login")
def login(body: dict):
    if body["password"] != os.environ["PASSWORD"]:
        raise HTTPException(403, body["password"])
    return {{"access_token": {TOKEN!r}}}


@app.get("/orders")
async def orders(authorization: str = Header()):
    if authorization != "Bearer {TOKEN}":
        raise HTTPException(403, authorization)
    return []


@app.get("/broken")
def broken():
    raise RuntimeError(os.environ["PASSWORD"])
"""
TOML = """
name = "secrets"
[target]
app = "main:app"
env_file = ".env"
[factors]
recipe = ["uvicorn-standard"]
[[scenarios]]
name = "orders"
load = { clients = 2 }
warmup_s = 0.2
measure_s = 0.5
[[scenarios.before]]
method = "POST"
path = "/login"
json = { password = "{env:PASSWORD}" }
keep = { token = "json:access_token" }
[[scenarios.requests]]
path = "/orders"
headers = { authorization = "Bearer {token}" }
[[scenarios]]
name = "broken"
load = { clients = 1 }
warmup_s = 0.2
measure_s = 0.5
[[scenarios.requests]]
path = "/broken"
[design]
blocks = 1
wrapper_cost = false
"""


@pytest.mark.promise(23)
def test_a_secret_is_found_nowhere_afterwards(
    checkout: Checkout, client: DockerClient, tmp_path: Path
) -> None:
    team = tmp_path / "team"
    team.mkdir()
    (team / "main.py").write_text(APP)
    (team / "requirements.txt").write_text("fastapi\n")
    (team / ".env").write_text("PASSWORD='" + CANARY.replace("\\", "\\\\") + "'\n")
    (team / "harness.toml").write_text(TOML)
    process = checkout.start("--matrix", team / "harness.toml")
    arguments: set[str] = set()
    said = []
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        listed = subprocess.run(["ps", "axo", "args"], capture_output=True, text=True, check=True)
        arguments |= set(listed.stdout.splitlines())
    process.wait(timeout=30)
    assert any("VALID" in line and "orders" in line for line in said) or process.returncode == 4, said

    run = checkout.store.path
    subprocess.run([HARNESS, "report", "--csv", run], check=True, capture_output=True)
    assert "started with {env:PASSWORD}" in next(run.glob("trials/*orders*/server.log")).read_text()
    texts = {str(path): path.read_bytes() for path in run.rglob("*") if path.is_file()}
    builds = checkout.directory / ".harness" / "builds"
    texts |= {str(path): path.read_bytes() for path in builds.rglob("*") if path.is_file()}
    texts["what it said"] = "".join(said).encode()
    texts["arguments of processes"] = "\n".join(arguments).encode()
    for image in set(checkout.store.manifest()["images"].values()):
        layers = client.images.get(image).history()
        texts[f"image {image}"] = "\n".join(str(layer["CreatedBy"]) for layer in layers).encode()
    for where, content in texts.items():
        assert b"canary-5f2e" not in content, where
        assert TOKEN.encode() not in content, where
