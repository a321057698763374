from __future__ import annotations

import asyncio
import json
import os
import runpy
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from target_app import faults, health, migrate
from target_app.main import create_app
from target_app.settings import Settings


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def on_dependency(tmp_path: Path, listener: socket.socket, scheme: str = "") -> FastAPI:
    address = f"{scheme}127.0.0.1:{listener.getsockname()[1]}"
    return create_app(Settings(stage="test", runtime_dir=tmp_path, dependency=address))


def test_not_ready_before_the_lifespan_started_nor_after_it_ended(app: FastAPI) -> None:
    client = TestClient(app)
    assert client.get("/health/ready").status_code == 503
    with client:
        assert client.get("/health/ready").json() == {"status": "ok", "reason": None}
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert "lifespan" in response.json()["reason"]


def test_a_dependency_taken_away_ends_readiness_but_not_liveness(
    tmp_path: Path, listener: socket.socket
) -> None:
    with TestClient(on_dependency(tmp_path, listener)) as client:
        assert client.get("/health/ready").status_code == 200
        listener.close()
        response = client.get("/health/ready")
        assert response.status_code == 503
        assert "dependency 127.0.0.1:" in response.json()["reason"]
        assert client.get("/health/live").status_code == client.get("/health").status_code == 200


def test_a_dependency_that_never_accepts_is_given_up(
    tmp_path: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(host: str, port: int) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio, "open_connection", never)
    monkeypatch.setattr(health, "DIAL_TIMEOUT_S", 0.01)
    with TestClient(on_dependency(tmp_path, listener)) as client:
        response = client.get("/health/ready")
    assert response.status_code == 503
    assert "did not answer within 0.01 s" in response.json()["reason"]


@contextmanager
def answering(listener: socket.socket, answer: bytes) -> Iterator[list[bytes]]:
    """Answer one connection; what it asked is in the list afterwards."""
    asked: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            asked.append(connection.recv(100))
            connection.sendall(answer)

    listener.settimeout(10)
    thread = Thread(target=serve)
    thread.start()
    yield asked
    thread.join()


@pytest.mark.parametrize(("answer", "status"), [(b"+PONG\r\n", 200), (b"-LOADING data\r\n", 503), (b"", 503)])
def test_a_redis_is_there_when_it_answers_a_ping(
    tmp_path: Path, listener: socket.socket, answer: bytes, status: int
) -> None:
    with (
        TestClient(on_dependency(tmp_path, listener, "redis://")) as client,
        answering(listener, answer) as asked,
    ):
        assert client.get("/health/ready").status_code == status
    assert asked == [b"PING\r\n"]


@pytest.mark.parametrize(("scheme", "status"), [("redis://", 503), ("", 200)])
def test_only_a_ping_sees_a_redis_that_hangs_behind_an_open_port(
    tmp_path: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch, scheme: str, status: int
) -> None:
    monkeypatch.setattr(health, "DIAL_TIMEOUT_S", 0.05)
    with TestClient(on_dependency(tmp_path, listener, scheme)) as client:
        assert client.get("/health/ready").status_code == status


@pytest.mark.parametrize("in_lifespan", [True, False])
def test_a_migration_is_run_by_each_worker_only_where_it_is_told_to(
    tmp_path: Path, in_lifespan: bool
) -> None:
    settings = Settings(stage="test", runtime_dir=tmp_path, migrate_in_lifespan=in_lifespan)
    for _ in range(2):
        with TestClient(create_app(settings)):
            pass
    assert migrations_in(tmp_path) == (2 if in_lifespan else 0)


def test_a_migration_as_a_step_of_its_own_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TARGET_STAGE", "test")
    monkeypatch.setenv("TARGET_RUNTIME_DIR", str(tmp_path / "run"))
    runpy.run_module("target_app.migrate", run_name="__main__")
    assert migrations_in(tmp_path / "run") == 1


def migrations_in(directory: Path) -> int:
    record = directory / migrate.RECORD
    lines = record.read_text().splitlines() if record.exists() else []
    assert all(json.loads(line)["pid"] == os.getpid() for line in lines)
    return len(lines)


def test_only_the_first_worker_told_to_hang_does(tmp_path: Path) -> None:
    async def served(app: FastAPI) -> bool:
        async with app.router.lifespan_context(app):
            return bool(app.state.started)

    async def both() -> tuple[bool, bool]:
        settings = Settings(stage="test", runtime_dir=tmp_path, faults=True)
        hanging = asyncio.ensure_future(served(create_app(settings)))
        await asyncio.sleep(0)  # it begins, and takes the file
        return await served(create_app(settings)), hanging.done()

    (tmp_path / faults.HANG_FILE).touch()
    assert asyncio.run(both()) == (True, False)
