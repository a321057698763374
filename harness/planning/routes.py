"""Routes of an app, read from its sources without importing them; what is computed is left out."""

from __future__ import annotations

import ast
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from harness.planning.router_names import Names, names_of

HEALTH = (
    *("/health/ready", "/healthz/ready", "/ready", "/readyz", "/-/ready"),
    *("/health", "/healthz", "/healthcheck", "/health-check", "/livez", "/live", "/health/live"),
)
"""Ends of paths that say whether an app can serve; those that speak of being ready come first."""
GIVEN_BY_THE_FRAMEWORK = {
    *("Request", "Response", "BackgroundTasks", "HTTPConnection", "SecurityScopes", "WebSocket"),
}
"""Parameters of these types are not part of the request."""
GUARDED = re.compile(r"auth|user|token|api_?key|secur|login|permission|credential|tenant|header|cookie", re.I)
"""Dependencies so called want to know who asks."""
MAX_ROUTERS = 500
"""How many routers are followed: some include each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A GET route without parameters in its path."""

    path: str
    status: int
    where: str
    """File and line."""
    plain: bool
    """Whether it can be asked for as it is: no parameter it must be given, no guard, no redirect."""


@dataclass(frozen=True, slots=True)
class _File:
    """What one file says of routers: by the name of the variable that holds them."""

    names: Names
    prefixes: Mapping[str, str | None]
    """Of routers and apps made here; None where it is computed."""
    routes: Mapping[str, list[Route]] = field(default_factory=dict)
    includes: Mapping[str, list[tuple[ast.expr, str | None]]] = field(default_factory=dict)


def get_routes(files: Mapping[str, str], app_path: str, variable: str) -> tuple[Route, ...]:
    """GET routes of the app in the file `app_path`, with the prefixes of the routers that it includes.

    The app is called `variable` there; where that is "create_app()", it may have any name.
    """
    parsed = {path: file for path, text in files.items() if (file := _read(path, text))}
    if app_path not in parsed:
        return ()
    queue = deque(
        (path, name, "")
        for path, file in sorted(parsed.items(), key=lambda item: item[0] != app_path)
        for name in (*file.routes, *file.includes)
        if _is_app(path, name, file, app_path, variable)
    )
    seen: set[tuple[str, str, str]] = set()
    found: dict[str, Route] = {}
    while queue and len(seen) < MAX_ROUTERS:
        step = queue.popleft()
        if step not in seen:
            seen.add(step)
            routes, more = _of_router(*step, parsed)
            queue.extend(more)
            for route in routes:
                found.setdefault(route.path, route)
    return tuple(found.values())


def health_route(routes: tuple[Route, ...]) -> Route | None:
    """The route that says best whether the app can serve."""
    for end in HEALTH:
        for route in routes:
            if route.plain and route.path.rstrip("/").endswith(end):
                return route
    return None


def _is_app(path: str, name: str, file: _File, app_path: str, variable: str) -> bool:
    """The app's variable in its own file; anywhere, a parameter that is called as apps usually are."""
    if name in file.names.routers:
        return False
    if path == app_path and (name == variable or variable.endswith("()")):
        return True
    return name in ("app", "application") and name not in file.names.assigned


def _of_router(
    path: str, name: str, prefix: str, parsed: Mapping[str, _File]
) -> tuple[list[Route], list[tuple[str, str, str]]]:
    """Its own routes, and the routers in it: file, variable and prefix of each."""
    file = parsed[path]
    if name not in file.names.routers and (elsewhere := file.names.resolve(ast.Name(name), parsed)):
        return [], [(*elsewhere, prefix)]
    own = file.prefixes.get(name, "")
    if own is None:
        return [], []
    full = [replace(route, path=f"{prefix}{own}{route.path}") for route in file.routes.get(name, ())]
    inner = [
        (*target, f"{prefix}{own}{more}")
        for child, more in file.includes.get(name, ())
        if more is not None and (target := file.names.resolve(child, parsed))
    ]
    return [route for route in full if route.path.startswith("/") and "{" not in route.path], inner


def _read(path: str, text: str) -> _File | None:
    if not path.endswith(".py"):
        return None
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    names = names_of(tree, path)
    prefixes = {name: _constant(_keyword(call, "prefix"), "") for name, call in names.routers.items()}
    routes: dict[str, list[Route]] = {}
    includes: dict[str, list[tuple[ast.expr, str | None]]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                if (made := _route(decorator, node, path)) is not None:
                    routes.setdefault(made[0], []).append(made[1])
        elif isinstance(node, ast.Call) and (name := _receiver(node, "include_router")) and node.args:
            prefix = _constant(_keyword(node, "prefix"), "")
            includes.setdefault(name, []).append((node.args[0], prefix))
    return _File(names, prefixes, routes, includes)


def _route(
    decorator: ast.expr, function: ast.FunctionDef | ast.AsyncFunctionDef, path: str
) -> tuple[str, Route] | None:
    """Variable and route of `@router.get("/path")`, or of `@router.api_route("/path", methods=["GET"])`."""
    if not isinstance(decorator, ast.Call):
        return None
    name = _receiver(decorator, "get")
    if name is None and (name := _receiver(decorator, "api_route") or _receiver(decorator, "route")):
        methods = _keyword(decorator, "methods")
        if methods is not None and "'GET'" not in ast.unparse(methods).upper():
            return None
    url = _constant(decorator.args[0] if decorator.args else _keyword(decorator, "path"), None)
    if name is None or url is None:
        return None
    where = f"{PurePosixPath(path)} line {function.lineno}"
    route = Route(path=url, status=_status(decorator), where=where, plain=_is_plain(decorator, function))
    return name, route


def _is_plain(decorator: ast.Call, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    if GUARDED.search(" ".join(ast.unparse(k.value) for k in decorator.keywords if k.arg == "dependencies")):
        return False
    if "Redirect" in ast.unparse(function):
        return False
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [*[None] * (len(positional) - len(arguments.defaults)), *arguments.defaults]
    pairs = [*zip(positional, defaults, strict=True)]
    pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return all(_needs_nothing(argument.annotation, default) for argument, default in pairs)


def _needs_nothing(annotation: ast.expr | None, default: ast.expr | None) -> bool:
    hint = ast.unparse(annotation) if annotation else ""
    given = ast.unparse(default) if default else ""
    if "Depends(" in hint + given or "Security(" in hint + given or hint.endswith("Dep"):
        return not GUARDED.search(hint + given)
    if default is not None:
        # Query(...), with an ellipsis, has no default after all.
        return "..." not in given and not GUARDED.search(hint + given)
    return hint.rpartition(".")[2] in GIVEN_BY_THE_FRAMEWORK


def _status(decorator: ast.Call) -> int:
    """Of status_code = 204 or status.HTTP_204_NO_CONTENT; 200 where it is left out or computed."""
    value = _keyword(decorator, "status_code")
    found = re.search(r"\b(?:HTTP_)?([1-5]\d\d)(?:_|\b)", ast.unparse(value)) if value is not None else None
    return int(found[1]) if found else 200


def _receiver(call: ast.Call, method: str) -> str | None:
    function = call.func
    if (
        isinstance(function, ast.Attribute)
        and function.attr == method
        and isinstance(function.value, ast.Name)
    ):
        return function.value.id
    return None


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def _constant(node: ast.expr | None, missing: str | None) -> str | None:
    """The text that stands there; `missing` where nothing does, None where it is computed."""
    if node is None:
        return missing
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
