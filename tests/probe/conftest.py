"""Fixtures for the wrapper around an app of this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from harness_probe.settings import Settings
from harness_probe.worker import Worker
from harness_probe.wrapper import Wrapped


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        app="",
        app_dir=tmp_path,
        variant_id="test.w1",
        runtime_dir=tmp_path / "run",
        access_log=True,
        threads=None,
    )


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def hello() -> dict[str, str]:
        return {"message": "hello"}

    return app


@pytest.fixture
def client(app: FastAPI, settings: Settings) -> Iterator[TestClient]:
    """The wrapped app within its lifespan. Errors of handlers come back as 500, as from a server."""
    with TestClient(Wrapped(app, Worker(settings)), raise_server_exceptions=False) as client:
        yield client
