"""Services of compose files as targets and as what a target needs."""

from __future__ import annotations

from typing import Any

import pytest

from harness.errors import ConfigurationError
from harness.planning.compose import FromCompose, from_compose
from harness.planning.starter import ServiceDraft


def api(table: dict[str, Any], **others: Any) -> FromCompose:
    document = {"services": {"api": {"build": ".", **table}, **others}}
    return from_compose(document, "api", where="compose.yaml")


def service(table: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    found = api({"depends_on": ["db"]}, db={"image": "some/thing:1", **table})
    (made,) = found.services
    return values(made), found.left_out


def values(made: ServiceDraft) -> dict[str, Any]:
    return {setting.key: setting.value for setting in made.settings}


@pytest.mark.parametrize(
    ("table", "image", "context", "dockerfile"),
    [
        ({"build": "./api"}, None, "./api", None),
        ({"build": {"context": "api", "dockerfile": "Dockerfile.prod"}}, None, "api", "Dockerfile.prod"),
        ({"build": {"dockerfile": "D"}}, None, ".", "D"),
        ({"build": ".", "image": "ours"}, None, ".", None),
        ({"build": None, "image": "registry/orders:${TAG:-1.4}"}, "registry/orders:1.4", None, None),
    ],
)
def test_where_the_image_comes_from(
    table: dict[str, Any], image: str | None, context: str | None, dockerfile: str | None
) -> None:
    found = api(table)
    assert (found.image, found.context, found.dockerfile) == (image, context, dockerfile)


@pytest.mark.parametrize(
    ("command", "app"),
    [
        ("uvicorn orders.main:app --host 0.0.0.0", "orders.main:app"),
        (["gunicorn", "-k", "uvicorn_worker.UvicornWorker", "orders:create_app()"], "orders:create_app()"),
        ("poetry run uvicorn main:app", "main:app"),
        ("node server.js a:b", None),
        ("python -m orders", None),
    ],
)
def test_the_app_is_read_from_a_servers_command(command: str | list[str], app: str | None) -> None:
    assert api({"command": command}).app == app


@pytest.mark.parametrize(
    ("ports", "port"),
    [
        (["8080:80"], 80),
        (["127.0.0.1:8080:80/tcp"], 80),
        (["9000"], 9000),
        (["3000-3005"], 3000),
        ([{"target": "81", "published": "8081"}], 81),
        (["${PORT:-8000}:8001"], 8001),
        (["53:53/udp", "80"], 80),
        (["x"], None),
        (["99999"], None),
    ],
)
def test_the_port_is_the_one_inside(ports: list[Any], port: int | None) -> None:
    assert api({"ports": ports}).port == port


def test_the_health_path_is_read_from_the_healthcheck() -> None:
    check = {"test": ["CMD-SHELL", "curl -f http://localhost:8000/health/ready || exit 1"]}
    assert api({"healthcheck": check}).ready == "/health/ready"
    assert api({"healthcheck": {"test": "true"}}).ready is None


@pytest.mark.parametrize(
    ("table", "ready"),
    [
        ({"healthcheck": {"test": "pg_isready -U $$USER"}}, ["sh", "-c", "pg_isready -U $USER"]),
        ({"healthcheck": {"test": ["CMD", "redis-cli", "ping"]}}, ["redis-cli", "ping"]),
        ({"healthcheck": {"test": ["CMD-SHELL", "a b"]}}, ["sh", "-c", "a b"]),
        ({"healthcheck": {"test": ["NONE"]}, "expose": ["6000"]}, "tcp:6000"),
        ({"ports": ["1234:5678"]}, "tcp:5678"),
        ({"image": "postgis/postgis:17-3.5"}, "tcp:5432"),
        ({"image": "ghcr.io/a/redis@sha256:00"}, "tcp:6379"),
    ],
)
def test_when_a_service_is_ready(table: dict[str, Any], ready: Any) -> None:
    assert service(table)[0]["ready"] == ready


def test_a_service_of_no_known_port_has_no_readiness() -> None:
    assert "ready" not in service({})[0]


def test_what_a_service_writes_to_is_empty_and_what_it_mounts_is_not_there() -> None:
    volumes = [
        "data:/var/lib/data",
        "/anonymous",
        "./init.sql:/init/init.sql:ro",
        {"type": "volume", "source": "logs", "target": "/logs"},
        "bad:/etc/x",
        {"odd": "x"},
    ]
    made, left_out = service({"volumes": volumes, "tmpfs": "/scratch"})
    assert made["writable"] == ("/var/lib/data", "/anonymous", "/logs", "/scratch")
    assert "volumes of db: data:/var/lib/data is empty in every run" in left_out
    assert "volumes of db: ./init.sql:/init/init.sql is not mounted" in left_out
    assert "volumes of db: bad:/etc/x is not mounted" in left_out


def test_what_a_dependency_needs_comes_before_it() -> None:
    found = api(
        {"depends_on": {"queue": {"condition": "service_started"}, "db": {}}},
        db={"image": "postgres"},
        queue={"image": "rabbitmq", "depends_on": ["db"]},
        unrelated={"image": "other"},
    )
    assert [values(made)["name"] for made in found.services] == ["db", "queue"]


def test_services_that_need_each_other_come_to_an_end() -> None:
    found = api(
        {"depends_on": ["a"]}, a={"image": "x", "depends_on": ["b"]}, b={"image": "y", "depends_on": ["a"]}
    )
    assert {values(made)["name"] for made in found.services} == {"a", "b"}


def test_whatever_cannot_be_used_is_listed() -> None:
    document = {
        "services": {
            "api": {
                "build": {"context": ".", "target": "prod", "args": {"A": "1"}},
                "depends_on": ["db", "ghost", "worker", "My_DB", "blank"],
                "restart": "always",
                "deploy": {"replicas": "2"},
                "env_file": [".env", {"path": "more.env"}],
            },
            "db": {"image": "postgres", "networks": ["x"], "env_file": ".env", "entrypoint": "/x"},
            "worker": {"build": "."},
            "My_DB": {"image": "postgres"},
            "blank": {"image": "postgres:${TAG}"},
        },
        "secrets": {"s": {"file": "x"}},
        "x-own": {},
        "volumes": {"data": None},
    }
    found = from_compose(document, "api", where="compose.yaml")
    said = "\n".join(found.left_out)
    for expected in (
        *("secrets of the whole file", "restart, deploy of api", "build.target of api", "build.args of api"),
        *("ghost, which api depends on", "worker: is built from sources", "'My_DB': no host name"),
        *("image of blank", "networks, entrypoint of db", "env_file of db", "env_file more.env of api"),
    ):
        assert expected in said, expected
    assert found.env_file == ".env"
    assert "x-own" not in said


@pytest.mark.parametrize("document", [None, [], "x", {}, {"services": []}, {"services": {"api": "x"}}])
def test_what_is_no_compose_file_is_refused(document: Any) -> None:
    with pytest.raises(ConfigurationError, match="no compose file"):
        from_compose(document, "api", where="compose.yaml")


def test_a_service_that_is_not_there_is_answered_with_the_likely_one() -> None:
    with pytest.raises(ConfigurationError, match=r"apj.*api"):
        from_compose({"services": {"api": {"build": "."}}}, "apj", where="compose.yaml")


def test_without_a_name_it_is_the_only_one_that_is_built() -> None:
    services = {"db": {"image": "x"}, "web": {"build": "."}}
    assert from_compose({"services": services}, "", where="c").name == "web"
    with pytest.raises(ConfigurationError, match=r"which of db, web, job is the app(.|\n)*--service"):
        from_compose({"services": {**services, "job": {"build": "."}}}, "", where="c")


def test_a_service_without_an_image_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="neither image nor build"):
        from_compose({"services": {"api": {"command": "x"}}}, "api", where="c")


KEYS = (
    *("image", "build", "environment", "env_file", "command", "ports", "expose", "depends_on", "healthcheck"),
    *("user", "tmpfs", "volumes"),
)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "wrong", ["'", [[["x"]]], {"a": {"b": ["c"]}}, [None], {"test": {}}, [{}], {"test": [None]}, "", ["${A}"]]
)
@pytest.mark.parametrize("of", ["api", "db"])
def test_wrong_types_are_no_tracebacks(key: str, wrong: Any, of: str) -> None:
    services: dict[str, Any] = {"api": {"build": ".", "depends_on": ["db"]}, "db": {"image": "postgres"}}
    services[of] = {**services[of], key: wrong}
    found = from_compose({"services": services}, "api", where="compose.yaml")
    assert found.name == "api"
