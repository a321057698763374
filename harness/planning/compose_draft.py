"""A first harness.toml from a service of a compose file and the sources that it is built from."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from harness.planning.compose import FromCompose
from harness.planning.discovery import FoundApp
from harness.planning.first_draft import (
    EnvFile,
    FoundFiles,
    app_settings,
    env_file_problem,
    env_file_setting,
    first_requests,
    ready_setting,
    slug,
)
from harness.planning.routes import get_routes
from harness.planning.starter import Draft, FirstRequest, Setting


def draft_of_service(
    found: FromCompose, files: FoundFiles, app: FoundApp | None, *, context: str, env_file: EnvFile | None
) -> Draft:
    """Without an app it is a black box: the image, measured by its own command."""
    routes = get_routes(files.texts, app.path, app.app.partition(":")[2]) if app else ()
    ready = ready_setting(routes)
    if found.ready:
        ready = (Setting(key="ready", value=found.ready, why=f"as in its healthcheck in {found.file}"),)
    requests = first_requests(routes, files.texts.get(app.path, "") if app else "")
    if app is None and found.ready:
        requests = (FirstRequest(path=found.ready, why="as no route is known: write your own"),)
    if found.env_file is None and env_file and not {name for name, _ in found.unset} & set(env_file.names):
        env_file = None  # Compose itself gives no .env to a container.
    usable = set(env_file.names) if env_file and not env_file.problem else set()
    return Draft(
        name=slug(found.name),
        target=(
            *(app_settings(app) if app else _own_command(found)),
            *_image(found, files, context),
            *ready,
            *env_file_setting(env_file),
            *_rights(found),
        ),
        env=tuple(setting for setting in found.env if setting.key not in usable),
        services=found.services,
        requests=requests,
        black_box=app is None,
        left_out=(*found.left_out, *_unused(found, app, usable), *env_file_problem(env_file)),
    )


def _own_command(found: FromCompose) -> Iterator[Setting]:
    why = f"no ASGI app is known of {found.name}: its own command is measured"
    if found.command:
        yield Setting(key="command", value=found.command, why=why)
    if found.port:
        yield Setting(key="port", value=found.port, why=f"where it listens, as in {found.file}")


def _image(found: FromCompose, files: FoundFiles, context: str) -> Iterator[Setting]:
    if found.image:
        yield Setting(key="image", value=found.image, why=f"as in {found.file}")
        return
    yield Setting(key="context", value=context, why=f"the build context of {found.name} in {found.file}")
    if found.dockerfile or files.dockerfile or files.requirements is None:
        name = found.dockerfile or "Dockerfile"
        yield Setting(
            key="dockerfile", value=name, why=f"what {found.file} builds; each variant replaces its CMD"
        )
    else:
        yield Setting(key="requirements", value=files.requirements, why="found: the image is made from it")


def _rights(found: FromCompose) -> Iterator[Setting]:
    if found.user:
        yield Setting(key="user", value=found.user, why=f"as in {found.file}")
    if found.writable:
        why = "directories it writes to, empty at first"
        yield Setting(key="writable", value=found.writable, why=why)


def _unused(found: FromCompose, app: FoundApp | None, in_env_file: Collection[str]) -> Iterator[str]:
    yield from (text for name, text in found.unset if name not in in_env_file)
    for setting in found.env:
        if setting.key in in_env_file:
            yield f"environment {setting.key} of {found.name}: the env_file sets it too, and is followed"
    if app and found.command:
        yield f"command of {found.name}: each variant has its server's own"
