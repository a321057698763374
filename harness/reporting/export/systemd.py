"""systemd units: one for each process, with its limits."""

from __future__ import annotations

from collections.abc import Iterator

from harness.deployment import ProcessSpec
from harness.planning.commands import CONTAINER_TLS
from harness.recipes.nginx import CONFIG
from harness.reporting.export.compose import NGINX_FILE
from harness.reporting.export.deployable import Deployable, Exported

NGINX = "nginx"
"""The process of that name comes from the system, not from the app's environment."""


def render(given: Deployable) -> Exported:
    """Paths are those of a Debian: the app in /srv, its virtual environment in it."""
    warnings = tuple(_warnings(given))
    files = {}
    for process in given.processes:
        files[f"{_unit(given, process)}.service"] = given.comment(*warnings) + _text(given, process)
    if (config := given.nginx_config) is not None:
        files[NGINX_FILE] = given.comment() + config.replace(CONTAINER_TLS, f"/srv/{given.name}/tls")
    return Exported(files=files, warnings=(*given.warnings, *warnings))


def _warnings(given: Deployable) -> Iterator[str]:
    yield f"the app is expected in /srv/{given.name}, with its packages in /srv/{given.name}/.venv"
    for what, packages in (("packages of this version", given.target.packages), ("server", given.packages)):
        if packages:
            yield f"install the {what} there: .venv/bin/pip install {' '.join(packages)}"
    yield from given.limit_notes(f"CPUQuota: {given.cpus:g} CPUs are", f"MemoryMax: {given.memory_mib}M")
    if given.replicas > 1:
        yield f"{given.replicas} replicas are needed: this is one, on one machine"


def _unit(given: Deployable, process: ProcessSpec) -> str:
    return given.name if len(given.processes) == 1 else f"{given.name}-{process.name}"


def _text(given: Deployable, process: ProcessSpec) -> str:
    home, is_nginx = _home(given), process.name == NGINX
    kept = () if is_nginx else given.target.capabilities
    lines = [
        "[Unit]",
        f"Description={given.name}: {process.name}",
        "After=network-online.target",
        "Wants=network-online.target",
        "",
        "[Service]",
        f"ExecStart={' '.join(map(quoted, _argv(given, process)))}",
        f"WorkingDirectory={home}",
        *(
            f"Environment={quoted(f'{name}={value}', expands=False)}"
            for name, value in process.env.items()
            if name != CONFIG
        ),
        *(
            [f"EnvironmentFile={home}/{given.target.env_file}"]
            if given.target.secret_env and not is_nginx
            else []
        ),
        "DynamicUser=yes",
        f"RuntimeDirectory={_unit(given, process)}",
        "Restart=always",
        f"TimeoutStopSec={given.stop_s}",
        f"CPUQuota={round(100 * given.cpus)}%",
        *([f"MemoryMax={given.memory_mib}M"] if given.memory_mib is not None and not is_nginx else []),
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "PrivateTmp=yes",
        f"CapabilityBoundingSet={' '.join(f'CAP_{name}' for name in kept)}",
        *(f"ReadWritePaths={path}" for path in given.target.writable),
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    ]
    return "\n".join(lines) + "\n"


def _home(given: Deployable) -> str:
    return f"/srv/{given.name}"


def _argv(given: Deployable, process: ProcessSpec) -> list[str]:
    home = _home(given)
    if process.name == NGINX:
        prefix, config = f"/run/{_unit(given, process)}/", f"{home}/{NGINX_FILE}"
        argv = ["/usr/sbin/nginx", "-p", prefix, "-c", config, "-e", "stderr"]
    else:
        argv = [f"{home}/.venv/bin/{process.argv[0]}" if process.argv else "/bin/false", *process.argv[1:]]
    return [word.replace(CONTAINER_TLS, f"{home}/tls") for word in argv]


def quoted(word: str, *, expands: bool = True) -> str:
    """As systemd.syntax wants it: % is its own, $ where variables are expanded, and quotes keep spaces."""
    safe = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    safe = safe.replace("$", "$$") if expands else safe
    return f'"{safe}"' if not safe or any(character in safe for character in " '\"\\;") else safe
