"""What a first harness.toml says of an app, from what is in its directory. Pure: texts in, a draft out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.errors import ConfigurationError
from harness.planning.discovery import FoundApp
from harness.planning.routes import Route, get_routes, health_route
from harness.planning.schema_target import IMPORT_STRING
from harness.planning.starter import Draft, FirstRequest, Setting

MAX_REQUESTS = 5
MAX_NAMES = 12
"""Names of an .env that are told."""
NAME_CHARS = 40
SCHEMA_PATH = "/openapi.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFiles:
    """What is in a build context."""

    directory: str
    """Its name."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Text of Python files and pyproject.toml, by path inside the context."""
    requirements: str | None = None
    dockerfile: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvFile:
    """A file of variables, without their values."""

    path: str
    """Relative to harness.toml."""
    names: tuple[str, ...]
    problem: str | None = None
    """Why it cannot be named in harness.toml."""


def named_app(app: str, files: Mapping[str, str], *, by: str = "named by you") -> FoundApp:
    """The app that a user named. Raises ConfigurationError where that is no import string."""
    if not IMPORT_STRING.fullmatch(app) or app.partition(":")[0].endswith(".py"):
        raise ConfigurationError(
            "--app", [f'{app[:100]!r} is no import string; write "orders.main:app" or "main:create_app()"']
        )
    module = app.partition(":")[0].replace(".", "/")
    for end in (".py", "/__init__.py"):
        wanted = f"{module}{end}"
        found = [path for path in files if path == wanted or path.endswith(f"/{wanted}")]
        if found:
            path = min(found, key=lambda path: (len(path), path))
            app_dir = path.removesuffix(wanted).rstrip("/")
            return FoundApp(app=app, app_dir=app_dir, path=path, why=f"{by}, in {path}")
    return FoundApp(app=app, app_dir="", path="", why=f"{by}; its file is not in the build context")


def draft_of(files: FoundFiles, app: FoundApp, env_file: EnvFile | None) -> Draft:
    """A file that runs as it is. Raises ConfigurationError where nothing says what to install."""
    routes = get_routes(files.texts, app.path, app.app.partition(":")[2])
    return Draft(
        name=slug(files.directory),
        target=(
            *app_settings(app),
            Setting(key="context", value=".", why="the build context: this directory"),
            *_image_settings(files),
            *ready_setting(routes),
            *env_file_setting(env_file),
        ),
        requests=first_requests(routes, files.texts.get(app.path, "")),
        left_out=env_file_problem(env_file),
    )


def app_settings(app: FoundApp) -> tuple[Setting, ...]:
    """The import string, and where it starts from."""
    started = Setting(key="app_dir", value=app.app_dir, why="where that import starts from")
    return (Setting(key="app", value=app.app, why=app.why), *((started,) if app.app_dir else ()))


def ready_setting(routes: Sequence[Route]) -> tuple[Setting, ...]:
    """The health path, where the sources have one."""
    health = health_route(tuple(routes))
    if health is None:
        return ()
    return (Setting(key="ready", value=health.path, why=f"2xx once the app can serve, {health.where}"),)


def env_file_setting(file: EnvFile | None) -> tuple[Setting, ...]:
    """The .env that is there: its names, never its values."""
    if file is None or file.problem:
        return ()
    more = len(file.names) - MAX_NAMES
    told = ", ".join(file.names[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")
    why = f"found: it sets {told or 'nothing'}; values are read when a run starts, and stored nowhere"
    return (Setting(key="env_file", value=file.path, why=why),)


def env_file_problem(file: EnvFile | None) -> tuple[str, ...]:
    """Why it is not named, where it cannot be."""
    return (f"{file.path}: {file.problem}",) if file and file.problem else ()


def first_requests(routes: Sequence[Route], source: str) -> tuple[FirstRequest, ...]:
    """Up to five routes that need nothing; the health path is no work, and taken last."""
    health = health_route(tuple(routes))
    plain = [route for route in routes if route.plain and 200 <= route.status < 300]
    chosen = [route for route in plain if route != health][:MAX_REQUESTS] or plain[:1]
    if chosen:
        return tuple(FirstRequest(path=r.path, status=r.status, why=f"found in {r.where}") for r in chosen)
    if re.search(r"\bFastAPI\b", source) and "openapi_url" not in source:
        why = (
            "no GET route without parameters was found, and FastAPI answers this one: replace it by your own"
        )
        return (FirstRequest(path=SCHEMA_PATH, why=why),)
    return (FirstRequest(path="/", why="assumed: no GET route was found that needs nothing"),)


def slug(text: str) -> str:
    """A name for reports and directories of runs."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:NAME_CHARS].strip("-")
    return plain or "app"


def choose(apps: Sequence[FoundApp], where: str, *, looked_at: int) -> FoundApp:
    """The only app. Raises ConfigurationError, with a command for each where there are several."""
    if len(apps) == 1:
        return apps[0]
    if apps:
        problems = [f"{found.app} ({found.why}): harness init --app {found.app}" for found in apps]
        raise ConfigurationError(f"{where}: {len(apps)} apps found.\nFix: name the one to measure", problems)
    raise ConfigurationError(
        f"{where}: no app found in {looked_at} Python files",
        ["Fix: name it: harness init --app orders.main:app, or orders.main:create_app() for a factory"],
    )


def _image_settings(files: FoundFiles) -> tuple[Setting, ...]:
    if files.requirements is None and not files.dockerfile:
        raise ConfigurationError(
            files.directory,
            [
                "nothing says what the app needs: there is no requirements.txt, uv.lock, poetry.lock, "
                "Pipfile.lock, Dockerfile or pyproject.toml with dependencies.\n"
                "    Fix: write one, for example: pip freeze > requirements.txt"
            ],
        )
    if files.requirements is None:
        return (Setting(key="dockerfile", value="Dockerfile", why="found; each variant replaces its CMD"),)
    settings = [Setting(key="requirements", value=files.requirements, why="found: the image is made from it")]
    if files.dockerfile:
        why = "found too: use it in place of requirements where the app needs more than Python packages"
        settings.append(Setting(key="dockerfile", value="Dockerfile", why=why, off=True))
    return tuple(settings)
