"""The load generator speaks HTTPS with a server whose certificate it was given, and with no other."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.scenarios.agent_process import PROJECT, READY, VERIFY, AgentProcess, assert_conserved
from tests.scenarios.locust_agent import get, load

pytestmark = pytest.mark.process


@dataclass(frozen=True)
class Server:
    """The app under test in a uvicorn that logs every connection it accepts."""

    base_url: str
    certificate: Path
    log: Path

    def connections(self) -> int:
        return self.log.read_text().count("HTTP connection made")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("tls")
    subprocess.run([PROJECT / "scripts/certificate.sh", directory], check=True, timeout=30)
    listener = socket.create_server(("127.0.0.1", 0))
    environment = {
        **os.environ,
        "PYTHONPATH": str(PROJECT / "probe"),
        "TARGET_STAGE": "test",
        "HARNESS_APP": "target_app.main:app",
        "HARNESS_VARIANT_ID": "tls-tests",
        "HARNESS_RUNTIME_DIR": str(tmp_path_factory.mktemp("runtime")),
    }
    command = [
        *(sys.executable, "-m", "uvicorn", "harness_probe.asgi:app", "--fd", str(listener.fileno())),
        *("--ssl-keyfile", directory / "key.pem", "--ssl-certfile", directory / "cert.pem"),
        *("--log-level", "trace", "--no-access-log"),
    ]
    log = directory / "log"
    with log.open("w") as stderr:
        app = subprocess.Popen(
            command, cwd=PROJECT, env=environment, pass_fds=[listener.fileno()], stderr=stderr
        )
    try:
        base_url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        yield Server(base_url=base_url, certificate=directory / "cert.pem", log=log)
    finally:
        listener.close()
        app.terminate()
        try:
            app.wait(timeout=10)
        finally:
            app.kill()


@pytest.fixture(scope="module")
def agent(server: Server) -> Iterator[AgentProcess]:
    with AgentProcess(SSL_CERT_FILE=str(server.certificate)) as process:
        yield process


def test_the_probe_tells_the_tls_of_its_connection(agent: AgentProcess, server: Server) -> None:
    facts = agent.ready(server.base_url)
    assert facts["tls"] == "TLSv1.3 TLS_AES_256_GCM_SHA384"
    assert facts["scheme"] == "https"
    assert facts["front"] is None


@pytest.mark.parametrize(("scenario", "keeps"), [("items", True), ("reconnect", False)])
def test_a_load_over_tls_keeps_its_connections_unless_told_otherwise(
    agent: AgentProcess, server: Server, scenario: str, keeps: bool
) -> None:
    agent.ready(server.base_url)
    agent.load(scenario)
    agent.result(**VERIFY)
    before = server.connections()
    totals, _ = agent.drive(measure_s=0.4)
    made = server.connections() - before
    assert_conserved(totals)
    assert totals["ok"] == totals["scheduled"] > 20
    assert made == (4 if keeps else totals["ok"])


@pytest.mark.parametrize("user", ["HttpUser", "FastHttpUser"])
def test_locusts_own_clients_take_the_same_certificate(
    agent: AgentProcess, server: Server, user: str
) -> None:
    agent.ready(server.base_url, inside=False)
    load(agent, get("/", user=user))
    totals, _ = agent.drive(measure_s=0.4)
    agent.load("root")
    assert totals["ok"] == totals["scheduled"] == totals["exchanges"] > 20


def test_a_certificate_that_was_not_given_is_not_trusted(server: Server) -> None:
    with AgentProcess(SSL_CERT_FILE=os.devnull) as stranger:
        kind, message = stranger.error(**{**READY, "base_url": server.base_url})
    assert kind == "WrongResponse"
    assert "not trusted" in message
    assert "SSL_CERT_FILE" in message
