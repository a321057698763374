"""A first harness.toml from a service of a compose file and the sources that it is built from."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from harness.planning.compose import FromCompose
from harness.planning.discovery import FoundApp
from harness.planning.first_draft import Surroundings, app_settings, first_requests, ready_setting, slug
from harness.planning.first_draft import env_file_setting as named_env_file
from harness.planning.routes import get_routes
from harness.planning.starter import Draft, FirstRequest, Setting


def draft_of_service(
    found: FromCompose,
    around: Surroundings,
    app: FoundApp | None,
    *,
    context: str,
    env_file: str,
    env_names: tuple[str, ...] | None,
) -> Draft:
    """Without an app it is a black box: the image, measured by its own command."""
    routes = get_routes(around.files, app.path, app.app.partition(":")[2]) if app else ()
    ready = ready_setting(routes)
    if found.ready:
        ready = (
            Setting(key="ready", value=found.ready, why=f"asked for by its healthcheck in {found.file}"),
        )
    requests = first_requests(routes, around.files.get(app.path, "") if app else "")
    if app is None and found.ready:
        requests = (FirstRequest(path=found.ready, why="as no route is known: write your own"),)
    return Draft(
        name=slug(found.name),
        target=(
            *(app_settings(app) if app else _own_command(found)),
            *_image(found, around, context),
            *ready,
            *_env_file(env_file, env_names),
            *_rights(found),
        ),
        env=found.env,
        services=found.services,
        requests=requests,
        black_box=app is None,
        left_out=(*found.left_out, *_unused(found, app, env_names or ())),
    )


def _own_command(found: FromCompose) -> Iterator[Setting]:
    why = f"no ASGI app is known of {found.name}: its own command is measured"
    if found.command:
        yield Setting(key="command", value=found.command, why=why)
    if found.port:
        yield Setting(key="port", value=found.port, why=f"where it listens, as in {found.file}")


def _image(found: FromCompose, around: Surroundings, context: str) -> Iterator[Setting]:
    if found.image:
        yield Setting(key="image", value=found.image, why=f"as in {found.file}")
        return
    yield Setting(key="context", value=context, why=f"the build context of {found.name} in {found.file}")
    if found.dockerfile or around.dockerfile or around.requirements is None:
        name = found.dockerfile or "Dockerfile"
        yield Setting(
            key="dockerfile", value=name, why=f"what {found.file} builds; each variant replaces its CMD"
        )
    else:
        yield Setting(key="requirements", value=around.requirements, why="found: the image is made from it")


def _env_file(env_file: str, names: tuple[str, ...] | None) -> Iterator[Setting]:
    for setting in named_env_file(names):
        yield Setting(key="env_file", value=env_file, why=setting.why)


def _rights(found: FromCompose) -> Iterator[Setting]:
    if found.user:
        yield Setting(key="user", value=found.user, why=f"as in {found.file}")
    if found.writable:
        why = "directories it writes to, empty at first"
        yield Setting(key="writable", value=found.writable, why=why)


def _unused(found: FromCompose, app: FoundApp | None, env_names: Collection[str]) -> Iterator[str]:
    yield from (text for name, text in found.unset if name not in env_names)
    if app and found.command:
        yield f"command of {found.name}: each variant has its server's own"
