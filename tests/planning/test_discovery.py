"""Apps and requirements that teams keep in many places, found without importing anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.planning.discovery import find_apps, find_requirements

FROM = "from fastapi import FastAPI\n"
APP = f"{FROM}app = FastAPI()\n"


def found(files: dict[str, str]) -> list[tuple[str, str]]:
    return [(app.app, app.app_dir) for app in find_apps(files)]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"main.py": APP}, [("main:app", "")]),
        ({"main.py": "import fastapi\napi: fastapi.FastAPI = fastapi.FastAPI()\n"}, [("main:api", "")]),
        ({"main.py": "import fastapi as f\nx = f.FastAPI()\n"}, [("main:x", "")]),
        ({"main.py": "from fastapi import FastAPI as F\nserver = F(title='x')\n"}, [("main:server", "")]),
        ({"app/main.py": APP, "app/__init__.py": ""}, [("app.main:app", "")]),
        ({"app/main.py": APP}, [("main:app", "app")]),
        ({"app/main.py": APP + "from app.db import x\n"}, [("app.main:app", "")]),
        ({"app/main.py": APP + "from .db import x\n"}, [("app.main:app", "")]),
        ({"src/orders/main.py": APP, "src/orders/__init__.py": ""}, [("orders.main:app", "src")]),
        ({"src/orders/__init__.py": APP}, [("orders:app", "src")]),
        ({"src/orders/web/main.py": APP + "import orders.db\n"}, [("orders.web.main:app", "src")]),
        ({"backend/app/main.py": APP, "backend/app/__init__.py": ""}, [("app.main:app", "backend")]),
        (
            {"main.py": "import orders\n", "orders/web.py": APP, "orders/__init__.py": ""},
            [("orders.web:app", "")],
        ),
        (
            {"main.py": "from starlette.applications import Starlette\ndef make():\n return Starlette()\n"},
            [("main:make()", "")],
        ),
        (
            {"main.py": f"{FROM}def make(debug=False) -> 'FastAPI':\n ...\n"},
            [("main:make()", "")],
        ),
        (
            {"main.py": f"{FROM}def make():\n a = FastAPI()\n return a\napp = make()\n"},
            [("main:app", "")],
        ),
        ({"main.py": f"{FROM}def make(settings) -> FastAPI:\n ...\n"}, []),
        ({"main.py": f"{FROM}if __name__ == '__main__':\n app = FastAPI()\n"}, []),
        (
            {"main.py": f"{FROM}try:\n app = FastAPI()\nfinally:\n pass\n"},
            [("main:app", "")],
        ),
        (
            {"main.py": f"{FROM}class Mine(FastAPI): ...\napp = Mine()\n"},
            [("main:app", "")],
        ),
        ({"main.py": "from mine import FastAPI\napp = FastAPI() # no fastapi of ours\n"}, []),
        ({"main.py": "from fastapi import APIRouter\napp = APIRouter()\n"}, []),
        ({"main.py": "import litestar\napp = litestar.Litestar([])\n"}, [("main:app", "")]),
        ({"main.py": APP, "other.py": APP}, [("main:app", "")]),
        ({"one.py": APP, "two.py": APP}, [("one:app", ""), ("two:app", "")]),
        (
            {"main.py": f"{FROM}a = FastAPI()\nb = FastAPI()\n"},
            [("main:a", ""), ("main:b", "")],
        ),
        ({"main.py": f"{FROM}app = FastAPI(\n"}, []),
        ({"main.py": f"# fastapi\nx = {'(' * 5000}{')' * 5000}\n"}, []),
        (
            {"pyproject.toml": '[tool.fastapi]\nentrypoint = "orders.web:api"\n', "main.py": APP},
            [("orders.web:api", "")],
        ),
        (
            {
                "pyproject.toml": '[tool.fastapi]\nentrypoint = "orders.web:api"\n',
                "src/orders/web.py": "",
            },
            [("orders.web:api", "src")],
        ),
        ({"pyproject.toml": "[tool.fastapi\n", "main.py": APP}, [("main:app", "")]),
        ({"pyproject.toml": "tool = 1\n", "main.py": APP}, [("main:app", "")]),
        ({}, []),
    ],
)
def test_finds_what_a_person_would_name(files: dict[str, str], expected: list[tuple[str, str]]) -> None:
    assert found(files) == expected


def test_what_was_found_can_be_pasted_and_is_explained() -> None:
    (app,) = find_apps({"src/orders/main.py": APP, "src/orders/__init__.py": ""})
    assert app.lines == ('app = "orders.main:app"', 'app_dir = "src"')
    assert app.why == "src/orders/main.py: app = FastAPI(...)"


@given(st.text())
def test_any_text_is_looked_at_without_harm(text: str) -> None:
    find_apps({"main.py": f"# fastapi\n{text}", "pyproject.toml": text})


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["requirements.txt", "uv.lock", "pyproject.toml"], "uv.lock"),
        (["requirements.txt", "pyproject.toml"], "requirements.txt"),
        (["Pipfile.lock", "poetry.lock"], "poetry.lock"),
        (["setup.py"], None),
    ],
)
def test_a_lock_file_is_preferred(names: list[str], expected: str | None) -> None:
    assert find_requirements(names) == expected
