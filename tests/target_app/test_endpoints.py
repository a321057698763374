from __future__ import annotations

import hashlib
from typing import Any

import pytest
from fastapi.testclient import TestClient

from target_app.main import create_app
from target_app.settings import Settings


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("/", {"message": "hello"}),
        ("/items/7?q=blue", {"item_id": 7, "name": "item 7", "price": 10.5, "q": "blue"}),
        ("/items/7", {"item_id": 7, "name": "item 7", "price": 10.5, "q": None}),
        ("/io/async?ms=1", {"waits": 1, "waited_ms": 1}),
        ("/io/sync?ms=1", {"waits": 1, "waited_ms": 1}),
        ("/io/fanout?ms=1", {"waits": 5, "waited_ms": 1}),
    ],
)
def test_answers(client: TestClient, url: str, body: dict[str, Any]) -> None:
    response = client.get(url)
    assert (response.status_code, response.json()) == (200, body)


@pytest.mark.parametrize("path", ["/cpu/sync", "/cpu/async"])
@pytest.mark.parametrize("iterations", [1, 3])
def test_cpu_work_is_a_chain_of_as_many_hashes_as_asked_for(
    client: TestClient, path: str, iterations: int
) -> None:
    digest = b"target_app"
    for _ in range(iterations):
        digest = hashlib.sha256(digest).digest()
    assert client.get(path, params={"iterations": iterations}).json() == {"digest": digest.hex()}


@pytest.mark.parametrize("size", [0, 1, 70_000])
def test_a_payload_has_the_size_asked_for(client: TestClient, size: int) -> None:
    response = client.get("/payload", params={"bytes": size})
    assert response.content == b"x" * size
    assert response.headers["content-length"] == str(size)


@pytest.mark.parametrize(
    "url", ["/io/async?ms=-1", "/io/sync?ms=60001", "/cpu/sync?iterations=0", "/payload?bytes=67108865"]
)
def test_work_is_bounded(client: TestClient, url: str) -> None:
    assert client.get(url).status_code == 422


@pytest.mark.parametrize("mounted", [False, True])
@pytest.mark.parametrize("version", ["/v1", "/v2"])
def test_versions_answer_alike_as_routes_and_as_mounted_apps(
    settings: Settings, version: str, mounted: bool
) -> None:
    app = create_app(settings.model_copy(update={"mounted": mounted}))
    with TestClient(app) as client:
        plain, versioned = client.get("/items/7?q=blue"), client.get(f"{version}/items/7?q=blue")
        assert versioned.status_code == 200
        assert versioned.content == plain.content
        assert client.get(f"{version}/items/seven").status_code == 422


def test_the_app_tells_who_it_takes_its_caller_for(client: TestClient) -> None:
    assert client.get("/whoami").json() == {"scheme": "http", "client": "testclient"}
    assert client.get("https://testserver/whoami").json()["scheme"] == "https"


def test_the_documentation_says_where_it_is_deployed(client: TestClient) -> None:
    assert client.get("/openapi.json").json()["info"]["title"] == "target_app (test)"
