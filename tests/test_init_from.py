"""`harness init --from`: requests from what a team has, and only those that its app answers."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from harness.cli import main

HARNESS = Path(sys.executable).with_name("harness")
APP = """
from fastapi import FastAPI

app = FastAPI()

@app.get("/health")
async def health():
    return {"ok": True}

@app.get("/items")
async def items():
    return [{"id": 1}]
"""
LOG = """\
INFO:     127.0.0.1:1 - "GET /items HTTP/1.1" 200 OK
INFO:     127.0.0.1:1 - "GET /items HTTP/1.1" 200 OK
INFO:     127.0.0.1:2 - "GET /items?page=2 HTTP/1.1" 200 OK
INFO:     127.0.0.1:3 - "GET /gone HTTP/1.1" 200 OK
INFO:     127.0.0.1:4 - "POST /items HTTP/1.1" 201 Created
"""


@pytest.fixture
def orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "main.py").write_text(APP)
    (tmp_path / "requirements.txt").write_text("fastapi\nuvicorn\n")
    (tmp_path / "access.log").write_text(LOG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(directory: Path) -> list[dict[str, object]]:
    (scenario,) = tomllib.loads((directory / "harness.toml").read_text())["scenarios"]
    return list(scenario["requests"])


def test_a_log_becomes_its_requests_with_the_mix_as_weights(
    orders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["harness", "init", "--from", "access-log", "access.log", "--no-verify"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert written(orders) == [
        {"path": "/items", "expect": {"status": 200}, "weight": 2},
        {"path": "/items?page=2", "expect": {"status": 200}},
        {"path": "/gone", "expect": {"status": 200}},
    ]
    assert "1 POST request left out" in capsys.readouterr().out


@pytest.mark.parametrize(("kind", "file", "says"), [
    ("postman", "access.log", "none of openapi, har, access-log"),
    ("har", "access.log", "access.log"),
    ("har", "no-such.har", "cannot be read"),
])  # fmt: skip
def test_what_cannot_be_imported_is_named_and_nothing_is_written(
    orders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    kind: str, file: str, says: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["harness", "init", "--from", kind, file])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert says in capsys.readouterr().err
    assert not (orders / "harness.toml").exists()


@pytest.mark.engine
@pytest.mark.slow
def test_only_what_the_running_app_answers_is_kept(orders: Path) -> None:
    command = [HARNESS, "init", "--from", "access-log", "access.log", "--engine", "docker"]
    env = {**os.environ, "HARNESS_RUN_LOCK": str(orders / "lock")}
    said = subprocess.run(command, capture_output=True, text=True, timeout=110, check=True, env=env).stdout
    assert [request["path"] for request in written(orders)] == ["/items", "/items?page=2"]
    assert "not taken over: GET /gone: status 404" in said
