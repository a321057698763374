"""Routes that teams write in many ways, found without importing anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.planning.routes import get_routes, health_route

APP = "from fastapi import FastAPI, APIRouter, Depends, Query, Request, status\napp = FastAPI()\n"


def paths(files: dict[str, str], app_path: str = "main.py", variable: str = "app") -> list[str]:
    return [route.path for route in get_routes(files, app_path, variable)]


def asked(body: str) -> list[tuple[str, int, bool]]:
    return [(r.path, r.status, r.plain) for r in get_routes({"main.py": APP + body}, "main.py", "app")]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("@app.get('/items')\ndef items(): ...\n", [("/items", 200, True)]),
        ("@app.get(path='/items')\nasync def items(page: int = 1): ...\n", [("/items", 200, True)]),
        ("@app.get('/items/{id}')\ndef item(id: int): ...\n", []),
        ("@app.post('/items')\ndef make(): ...\n", []),
        ("@app.get('/search')\ndef search(q: str): ...\n", [("/search", 200, False)]),
        ("@app.get('/search')\ndef search(q: str = Query(...)): ...\n", [("/search", 200, False)]),
        ("@app.get('/me')\ndef me(user=Depends(current_user)): ...\n", [("/me", 200, False)]),
        ("@app.get('/me')\ndef me(user: CurrentUser): ...\n", [("/me", 200, False)]),
        ("@app.get('/a')\ndef a(session=Depends(get_db)): ...\n", [("/a", 200, True)]),
        ("@app.get('/a')\ndef a(db: Annotated[Session, Depends(get_db)]): ...\n", [("/a", 200, True)]),
        ("@app.get('/a')\ndef a(db: SessionDep): ...\n", [("/a", 200, True)]),
        ("@app.get('/a')\ndef a(request: Request): ...\n", [("/a", 200, True)]),
        ("@app.get('/a')\ndef a(*, limit: int): ...\n", [("/a", 200, False)]),
        ("@app.get('/a', dependencies=[Depends(require_login)])\ndef a(): ...\n", [("/a", 200, False)]),
        ("@app.get('/')\ndef a():\n return RedirectResponse('/docs')\n", [("/", 200, False)]),
        ("@app.get('/a', status_code=204)\ndef a(): ...\n", [("/a", 204, True)]),
        ("@app.get('/a', status_code=status.HTTP_202_ACCEPTED)\ndef a(): ...\n", [("/a", 202, True)]),
        ("@app.api_route('/a', methods=['GET', 'POST'])\ndef a(): ...\n", [("/a", 200, True)]),
        ("@app.api_route('/a', methods=['POST'])\ndef a(): ...\n", []),
        ("@app.get(PATH)\ndef a(): ...\n", []),
        ("@other.get('/a')\ndef a(): ...\n", []),
        ("client.get('/a')\n", []),
        ("@app.get('/a')\ndef a(): ...\n@app.get('/a')\ndef b(q): ...\n", [("/a", 200, True)]),
    ],
)
def test_what_can_be_asked_for_as_it_is(body: str, expected: list[tuple[str, int, bool]]) -> None:
    assert asked(body) == expected


def test_where_a_route_stands_is_said() -> None:
    (route,) = get_routes({"main.py": APP + "\n@app.get('/a')\ndef a(): ...\n"}, "main.py", "app")
    assert route.where == "main.py line 5"


ITEMS = (
    "from fastapi import APIRouter\nrouter = APIRouter(prefix='/items')\n"
    "@router.get('/all')\ndef all(): ...\n"
)


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        ("from app.routers import items\napp.include_router(items.router)", ["/items/all"]),
        ("from app.routers.items import router\napp.include_router(router, prefix='/v1')", ["/v1/items/all"]),
        ("from .routers.items import router as r\napp.include_router(r)", ["/items/all"]),
        ("from .routers import items as i\napp.include_router(i.router)", ["/items/all"]),
        ("import app.routers.items\napp.include_router(app.routers.items.router)", ["/items/all"]),
        ("from app.routers import items\napp.include_router(items.router, prefix=settings.api)", []),
        ("from elsewhere import items\napp.include_router(items.router)", []),
        ("from .api import router\napp.include_router(router, prefix='/v2')", ["/v2/api/items/all"]),
        ("from .again import router\napp.include_router(router)", ["/items/all"]),
    ],
)
@pytest.mark.parametrize("root", ["", "src/", "services/orders/"])
def test_prefixes_of_routers_are_followed(root: str, include: str, expected: list[str]) -> None:
    files = {
        f"{root}app/main.py": f"{APP}{include}\n",
        f"{root}app/__init__.py": "",
        f"{root}app/again.py": "from .routers.items import router\n",
        f"{root}app/routers/items.py": ITEMS,
        f"{root}app/api/__init__.py": (
            "from fastapi import APIRouter\nfrom ..routers import items\n"
            "router = APIRouter(prefix='/api')\nrouter.include_router(items.router)\n"
        ),
    }
    assert paths(files, f"{root}app/main.py") == expected


def test_an_app_that_a_function_makes_has_its_routes() -> None:
    factory = (
        "from fastapi import FastAPI\nfrom setup import routes\ndef create_app():\n"
        " web = FastAPI()\n @web.get('/a')\n def a(): ...\n routes(web)\n return web\n"
    )
    setup = "def routes(app):\n @app.get('/b')\n def b(): ...\n"
    assert paths({"main.py": factory, "setup.py": setup}, variable="create_app()") == ["/a", "/b"]


def test_another_app_of_the_same_file_is_another_app() -> None:
    body = "admin = FastAPI()\n@admin.get('/a')\ndef a(): ...\n@app.get('/b')\ndef b(): ...\n"
    assert paths({"main.py": APP + body}) == ["/b"]


def test_routers_that_include_each_other_come_to_an_end() -> None:
    body = (
        "router = APIRouter(prefix='/x')\nrouter.include_router(router)\nrouter.include_router(router)\n"
        "@router.get('/a')\ndef a(): ...\napp.include_router(router)\n"
    )
    assert paths({"main.py": APP + body})[:2] == ["/x/a", "/x/x/a"]


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        (["/", "/health", "/items"], "/health"),
        (["/health", "/health/ready"], "/health/ready"),
        (["/api/v1/healthz"], "/api/v1/healthz"),
        (["/livez", "/readyz"], "/readyz"),
        (["/wealth", "/items"], None),
    ],
)
def test_the_best_health_route_is_chosen(there: list[str], chosen: str | None) -> None:
    body = "".join(f"@app.get('{path}')\ndef f(): ...\n" for path in there)
    route = health_route(get_routes({"main.py": APP + body}, "main.py", "app"))
    assert (route.path if route else None) == chosen


@given(text=st.text(max_size=80))
def test_any_text_is_read_without_an_error(text: str) -> None:
    get_routes({"main.py": text, "b.py": f"{APP}{text}"}, "main.py", "app")


def test_an_app_elsewhere_has_no_routes_here() -> None:
    assert paths({"main.py": APP}, "site/main.py") == []
