"""The command line of a gunicorn as a gunicorn.conf.py."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.recipes.gunicorn import RECIPES
from harness.reporting.export.deployable import Deployable, Exported

FILE = "gunicorn.conf.py"

SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "--access-logfile": "accesslog",
        "--asgi-lifespan": "asgi_lifespan",
        "--asgi-loop": "asgi_loop",
        "--backlog": "backlog",
        "--bind": "bind",
        "--graceful-timeout": "graceful_timeout",
        "--http-parser": "http_parser",
        "--keep-alive": "keepalive",
        "--max-requests": "max_requests",
        "--pythonpath": "pythonpath",
        "--timeout": "timeout",
        "--worker-class": "worker_class",
        "--worker-tmp-dir": "worker_tmp_dir",
        "--workers": "workers",
    }
)
"""Option of the command line: setting of the file."""
FLAGS: Mapping[str, str] = MappingProxyType(
    {"--preload": "preload_app", "--no-control-socket": "control_socket_disable"}
)
NUMBERS = frozenset({"backlog", "graceful_timeout", "keepalive", "max_requests", "timeout", "workers"})


def render(given: Deployable) -> Exported:
    """Raises ValueError for a server that is no gunicorn."""
    if given.variant.recipe not in RECIPES:
        raise ValueError(f"{given.variant.id} is no gunicorn, so there is no {FILE} of it")
    _, app, *options = given.processes[0].argv
    lines = [f"wsgi_app = {app!r}\n"]
    while options:
        option = options.pop(0)
        if option in FLAGS:
            lines.append(f"{FLAGS[option]} = True\n")
        else:
            setting, value = SETTINGS[option], options.pop(0)
            lines.append(f"{setting} = {value if setting in NUMBERS else repr(value)}\n")
    start = f"start it with `gunicorn --config {FILE}`"
    return Exported(files={FILE: given.comment(start) + "".join(lines)}, warnings=(*given.warnings, start))
