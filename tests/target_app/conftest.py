"""Fixtures for the app, in this process and served for real."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# target_app.main makes its `app` on import, and rightly refuses to without its stage.
os.environ.setdefault("TARGET_STAGE", "imported-by-tests")

from fastapi import FastAPI
from fastapi.testclient import TestClient

from target_app.main import create_app
from target_app.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(stage="test", runtime_dir=tmp_path / "run")


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    return create_app(settings)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """The app within its lifespan. Errors of handlers come back as 500, as from a server."""
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client
