from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from target_app import health
from target_app.main import create_app
from target_app.settings import Settings


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def on_dependency(tmp_path: Path, listener: socket.socket) -> FastAPI:
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    return create_app(Settings(variant_id="test.w1", runtime_dir=tmp_path, dependency=address))


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


def test_the_lifespan_leaves_a_record(client: TestClient, settings: Settings) -> None:
    client.close()
    client.__exit__(None, None, None)
    lines = (settings.runtime_dir / "lifespan.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert [(event["event"], event["pid"]) for event in events] == [
        ("startup", os.getpid()),
        ("shutdown", os.getpid()),
    ]
    assert events[0]["time"] < events[1]["time"]
