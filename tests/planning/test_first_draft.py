"""What a first harness.toml says of an app."""

from __future__ import annotations

import pytest

from harness.errors import ConfigurationError
from harness.planning.discovery import find_apps
from harness.planning.first_draft import EnvFile, FoundFiles, choose, draft_of, named_app, slug
from harness.planning.starter import Draft

APP = "from fastapi import FastAPI\napp = FastAPI()\n"
ROUTE = "@app.get('{path}')\ndef f(): ...\n"


def drafted(
    texts: dict[str, str], requirements: str | None = "requirements.txt", env_file: EnvFile | None = None
) -> Draft:
    files = FoundFiles(directory="My Orders!", texts=texts, requirements=requirements)
    (app,) = find_apps(texts)
    return draft_of(files, app, env_file)


def settings(draft: Draft) -> dict[str, object]:
    return {setting.key: setting.value for setting in draft.target if not setting.off}


def test_what_was_found_is_what_is_written() -> None:
    draft = drafted({"src/orders/main.py": APP, "src/orders/__init__.py": ""})
    assert draft.name == "my-orders"
    assert settings(draft) == {
        "app": "orders.main:app",
        "app_dir": "src",
        "context": ".",
        "requirements": "requirements.txt",
    }


@pytest.mark.parametrize(
    ("paths", "ready", "requests"),
    [
        (["/a", "/health", "/b"], "/health", ["/a", "/b"]),
        (["/health"], "/health", ["/health"]),
        (["/1", "/2", "/3", "/4", "/5", "/6"], None, ["/1", "/2", "/3", "/4", "/5"]),
        (["/items/{id}"], None, ["/openapi.json"]),
    ],
)
def test_routes_become_the_first_requests(paths: list[str], ready: str | None, requests: list[str]) -> None:
    draft = drafted({"main.py": APP + "".join(ROUTE.format(path=path) for path in paths)})
    assert settings(draft).get("ready") == ready
    assert [request.path for request in draft.requests] == requests


@pytest.mark.parametrize(
    "source",
    [
        "from fastapi import FastAPI\napp = FastAPI(openapi_url=None)\n",
        "from starlette.applications import Starlette\napp = Starlette()\n",
    ],
)
def test_without_a_route_it_is_the_root(source: str) -> None:
    (request,) = drafted({"main.py": source}).requests
    assert request.path == "/"
    assert "assumed" in request.why


def test_a_dockerfile_is_an_alternative_or_the_only_way() -> None:
    (app,) = find_apps({"main.py": APP})
    both = FoundFiles(directory="x", texts={"main.py": APP}, requirements="uv.lock", dockerfile=True)
    alternative = next(s for s in draft_of(both, app, None).target if s.key == "dockerfile")
    assert alternative.off
    only = FoundFiles(directory="x", texts={"main.py": APP}, dockerfile=True)
    assert settings(draft_of(only, app, None))["dockerfile"] == "Dockerfile"


def test_without_anything_to_install_it_says_what_to_write() -> None:
    with pytest.raises(ConfigurationError, match=r"nothing says what the app needs(.|\n)*Fix: .*pip freeze"):
        drafted({"main.py": APP}, requirements=None)


def test_an_env_file_is_named_with_its_names() -> None:
    names = tuple(f"N{number}" for number in range(14))
    draft = drafted({"main.py": APP}, env_file=EnvFile(path=".env", names=names))
    (found,) = (setting for setting in draft.target if setting.key == "env_file")
    assert found.value == ".env"
    assert "N0, N1" in found.why
    assert "and 2 more" in found.why


def test_an_env_file_that_cannot_be_read_is_not_named() -> None:
    broken = EnvFile(path=".env", names=(), problem="line 3 is not KEY=VALUE")
    draft = drafted({"main.py": APP}, env_file=broken)
    assert "env_file" not in settings(draft)
    assert draft.left_out == (".env: line 3 is not KEY=VALUE",)


@pytest.mark.parametrize(
    ("app", "files", "app_dir"),
    [
        ("orders.main:app", {"orders/main.py": ""}, ""),
        ("orders.main:create_app()", {"src/orders/main.py": ""}, "src"),
        ("orders:app", {"backend/orders/__init__.py": ""}, "backend"),
        ("titiler.application.main:app", {}, ""),
    ],
)
def test_an_app_that_is_named_is_looked_for(app: str, files: dict[str, str], app_dir: str) -> None:
    found = named_app(app, files)
    assert (found.app, found.app_dir) == (app, app_dir)
    assert "named by you" in found.why


@pytest.mark.parametrize("app", ["main", "main.py:app", "main:app;x", ":app", "main:app()()", "a b:app"])
def test_what_is_no_import_string_is_refused(app: str) -> None:
    with pytest.raises(ConfigurationError, match="is no import string"):
        named_app(app, {})


def test_several_apps_are_listed_each_with_its_command() -> None:
    apps = find_apps({"a/x.py": APP, "b/y.py": APP})
    with pytest.raises(ConfigurationError) as refused:
        choose(apps, ".", looked_at=2)
    for found in apps:
        assert f"harness init --app {found.app}" in str(refused.value)


def test_without_an_app_it_says_how_to_name_one() -> None:
    with pytest.raises(ConfigurationError, match=r"no app found in 7 Python files(.|\n)*Fix: .*--app"):
        choose((), ".", looked_at=7)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Orders", "orders"), ("--", "app"), ("ü", "app"), ("a" * 99, "a" * 40), ("", "app")],
)
def test_names_are_made_narrow(text: str, expected: str) -> None:
    assert slug(text) == expected
