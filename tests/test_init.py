"""`harness init` as a user meets it: the file, the words, the refusals."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.adapters.assets import assets
from harness.adapters.config_file import load_matrix, parse_matrix, scenario_names
from harness.cli import main
from harness.model import OWN_COMMAND, Matrix

GOLDEN = Path(__file__).parent / "golden" / "harness.toml"
APP = """\
from fastapi import FastAPI
from routers import items

app = FastAPI()
app.include_router(items.router, prefix="/v1")


@app.get("/health")
def health():
    return {"status": "ok"}
"""
ITEMS = """\
from fastapi import APIRouter

router = APIRouter(prefix="/items")


@router.get("/newest")
def newest(limit: int = 10):
    return []


@router.get("/{item}")
def item(item: int):
    return item
"""
COMPOSE = """\
services:
  api:
    build: .
    command: uvicorn main:app --host 0.0.0.0
    environment:
      DATABASE_URL: postgresql://app:${POSTGRES_PASSWORD}@db/app
      SESSION_SECRET: not-to-be-copied
      LOG_LEVEL: ${LOG_LEVEL:-info}
    depends_on: [db]
    restart: always
  db:
    image: postgres:17
    environment: ["POSTGRES_USER=app", "POSTGRES_PASSWORD=${POSTGRES_PASSWORD}"]
    volumes: ["data:/var/lib/postgresql/data"]
    healthcheck: { test: pg_isready }
"""


@pytest.fixture
def orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A team's directory, which the command is run in."""
    directory = tmp_path / "orders"
    (directory / "routers").mkdir(parents=True)
    (directory / "main.py").write_text(APP)
    (directory / "routers" / "items.py").write_text(ITEMS)
    (directory / "requirements.txt").write_text("fastapi\n")
    (directory / "Dockerfile").write_text("FROM python\n")
    (directory / ".env").write_text("SENTRY_DSN=https://hunter2@sentry\nSECRET_KEY='hunter2'\n")
    monkeypatch.chdir(directory)
    monkeypatch.setenv("COLUMNS", "200")
    return directory


def init(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["harness", "init", *arguments])
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def matrix(path: Path = Path("harness.toml")) -> Matrix:
    return load_matrix(path, project=assets(), server_cpus=(1,), generator_cpus=(0,))


def test_the_file_is_as_it_was_agreed(orders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert init(monkeypatch) == 0
    assert (orders / "harness.toml").read_text() == GOLDEN.read_text()


def test_the_file_can_be_planned_as_it_is(orders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert init(monkeypatch) == 0
    planned = matrix()
    assert planned.target is not None
    assert planned.target.app == "main:app"
    assert planned.target.ready == "/health"
    assert planned.target.secret_env == ("SECRET_KEY", "SENTRY_DSN")
    assert [variant.id for variant in planned.variants] == [
        *("uvicorn-standard.w1", "uvicorn-standard.w2", "gunicorn-uvicorn.w1", "gunicorn-uvicorn.w2"),
    ]
    assert [request.path for request in planned.scenarios[0].requests] == ["/v1/items/newest"]


def test_the_file_is_read_where_no_other_is_named(
    orders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init(monkeypatch) == 0
    monkeypatch.setattr(sys, "argv", ["harness", "plan"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert "orders: 4 variants" in capsys.readouterr().out


def test_every_assumption_is_said_and_the_next_command_too(
    orders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init(monkeypatch) == 0
    said = capsys.readouterr().out
    for expected in (
        "app = main:app (main.py: app = FastAPI(...))",
        "requirements = requirements.txt",
        "not used: dockerfile = Dockerfile",
        "ready = /health (2xx once the app can serve, main.py line 9)",
        "env_file = .env (found: it sets SENTRY_DSN, SECRET_KEY;",
        "GET /v1/items/newest, expecting 200 (found in routers/items.py line 7)",
        "verifies the requests",
    ):
        assert expected in said
    assert said.rstrip().endswith("Next: harness run")
    assert "hunter2" not in said + (orders / "harness.toml").read_text()


def test_a_file_that_is_there_stays_unless_forced(
    orders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (orders / "harness.toml").write_text("mine")
    assert init(monkeypatch) == 2
    assert "--force" in capsys.readouterr().err
    assert (orders / "harness.toml").read_text() == "mine"
    assert init(monkeypatch, "--force") == 0
    assert (orders / "harness.toml").read_text() != "mine"


def test_another_directory_is_named_in_the_next_command(
    orders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert init(monkeypatch, "--path", "orders") == 0
    assert "Next: cd orders && harness run" in capsys.readouterr().out
    assert matrix(orders / "harness.toml").target is not None


def two_apps(orders: Path) -> None:
    (orders / "main.py").unlink()
    for name in ("admin.py", "shop.py"):
        (orders / name).write_text("from fastapi import FastAPI\napp = FastAPI()\n")


def test_of_several_apps_none_is_guessed(
    orders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    two_apps(orders)
    assert init(monkeypatch) == 2
    said = capsys.readouterr().err
    assert "2 apps found" in said
    assert "harness init --app shop:app" in said
    assert not (orders / "harness.toml").exists()
    assert init(monkeypatch, "--app", "shop:app") == 0
    assert 'app = "shop:app"' in (orders / "harness.toml").read_text()


@pytest.mark.parametrize(("answer", "code"), [("2", 0), ("7", 2)])
def test_on_a_terminal_it_asks_which(
    orders: Path, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    two_apps(orders)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr("typer.prompt", lambda *_, **__: int(answer))
    assert init(monkeypatch) == code
    if code == 0:
        assert 'app = "shop:app"' in (orders / "harness.toml").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--path", "nowhere"), "no such directory"),
        (("--app", "main.py:app"), "is no import string"),
        (("--service", "api"), "--compose"),
        (("--compose", "nowhere.yaml"), "no such file"),
        (("--compose", "requirements.txt"), "no compose file"),
    ],
)
def test_bad_input_is_explained(
    orders: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    says: str,
) -> None:
    assert init(monkeypatch, *arguments) == 2
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said
    assert not (orders / "harness.toml").exists()


def test_a_compose_file_becomes_a_target_with_its_services(
    orders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (orders / "compose.yaml").write_text(COMPOSE)
    (orders / ".env").write_text("SESSION_SECRET=hunter2\n")
    assert init(monkeypatch, "--compose", "compose.yaml", "--service", "api") == 0
    target = matrix().target
    assert target is not None
    assert (target.app, target.dockerfile) == ("main:app", "Dockerfile")
    assert target.env == {"DATABASE_URL": "postgresql://app:harness@db/app", "LOG_LEVEL": "info"}
    assert target.secret_env == ("SESSION_SECRET",)
    (db,) = target.services
    assert (db.name, db.image, db.ready) == ("db", "postgres:17", ("sh", "-c", "pg_isready"))
    assert db.env == {"POSTGRES_USER": "app", "POSTGRES_PASSWORD": "harness"}
    assert db.writable == ("/var/lib/postgresql/data",)
    said = capsys.readouterr().out
    written = (orders / "harness.toml").read_text()
    for expected in ("restart of api", "data:/var/lib/postgresql/data is empty in every run"):
        assert f"not taken over: {expected}" in said.replace("volumes of db: ", "")
        assert expected in written
    assert "not-to-be-copied" not in said + written


def test_a_secret_without_an_env_file_is_asked_for(
    orders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (orders / "compose.yaml").write_text(COMPOSE)
    (orders / ".env").write_text("POSTGRES_PASSWORD=hunter2\n")
    assert init(monkeypatch, "--compose", "compose.yaml", "--service", "api") == 0
    assert "write SESSION_SECRET=... into a file" in capsys.readouterr().out
    target = matrix().target
    assert target is not None
    assert target.secret_env == ()


def test_what_the_env_file_sets_is_set_once(
    orders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (orders / "compose.yaml").write_text(COMPOSE.replace("restart: always", "env_file: .env"))
    (orders / ".env").write_text("SESSION_SECRET=hunter2\nLOG_LEVEL=debug\n")
    assert init(monkeypatch, "--compose", "compose.yaml", "--service", "api") == 0
    target = matrix().target
    assert target is not None
    assert "LOG_LEVEL" not in target.env
    assert target.secret_env == ("LOG_LEVEL", "SESSION_SECRET")
    assert "environment LOG_LEVEL of api: the env_file sets it too" in capsys.readouterr().out


def test_an_image_of_any_language_is_a_black_box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check = "{ test: curl -f http://localhost:3000/healthz }"
    (tmp_path / "compose.yaml").write_text(
        f"services: {{ web: {{ image: node-web:1, ports: ['80:3000'], healthcheck: {check} }} }}\n"
    )
    assert init(monkeypatch, "--compose", "compose.yaml", "--service", "web") == 0
    planned = matrix()
    assert [variant.recipe for variant in planned.variants] == [OWN_COMMAND]
    assert planned.target is not None
    assert (planned.target.image, planned.target.port) == ("node-web:1", 3000)
    assert planned.target.app is None
    assert [request.path for request in planned.scenarios[0].requests] == ["/healthz"]


HOSTILE = """
services:
  api:
    build: .
    environment: { 'A': "\\"\\n[design]\\nblocks = 999\\n", 'B "]': x, C: "\\x7f\\u2028" }
    "restart\\n[design]": 1
    depends_on: ["db"]
    command: "uvicorn main:app"
  db: { image: "x\\ny" , "z\\nw": 1}
"""


def test_nothing_in_a_compose_file_can_write_keys_of_its_own(
    orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (orders / "compose.yaml").write_text(HOSTILE)
    assert init(monkeypatch, "--compose", "compose.yaml", "--service", "api") == 0
    text = (orders / "harness.toml").read_text()
    parsed = parse_matrix(text, where="harness.toml", scenarios=scenario_names(assets()))
    assert parsed.design.blocks == 6
    assert parsed.target is not None
    assert parsed.target.env == {"A": '"\n[design]\nblocks = 999\n', "C": "\x7f\u2028"}
