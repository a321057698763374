"""A compose.yaml: the service as it was measured, its limits, and the services that it needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.deployment import ProcessSpec
from harness.planning.commands import CONTAINER_TLS
from harness.reporting.export import dockerfile
from harness.reporting.export.deployable import Deployable, Exported, uses_tls
from harness.reporting.export.yaml_text import one_line, yaml_text
from harness.target import Service

FILE, NGINX_FILE = "compose.yaml", "nginx.conf"
NGINX_IMAGE = "nginx:stable"
NGINX_ARGV = ["nginx", "-p", "/tmp/", "-c", "/etc/nginx/nginx.conf", "-e", "stderr"]
"""Its paths are relative to a directory that it may write to."""


def render(given: Deployable) -> Exported:
    """With the Dockerfile that it builds, where the image is made here."""
    services: dict[str, Any] = {}
    for process in given.processes:
        services[_name(given, process)] = _service(given, process)
    for service in given.target.services:
        services[service.name] = _needed(service)
    warnings = tuple(_warnings(given))
    document = yaml_text([{"services": services}])
    files = {FILE: given.comment(*warnings) + document}
    if given.nginx_config is not None:
        files[NGINX_FILE] = given.comment() + given.nginx_config
    if given.builds:
        files.update(dockerfile.render(given).files)
    return Exported(files=files, warnings=(*given.warnings, *warnings))


def _warnings(given: Deployable) -> Iterator[str]:
    yield from given.limit_notes(f"cpus: {given.cpus:g} is", f"mem_limit: {given.memory_mib}m")
    if given.needs_certificate:
        yield "put cert.pem and key.pem into ./tls"
    if given.ready_path is None:
        yield "no healthcheck: no path is known that answers without a login; set target.ready"
    for service in given.target.services:
        if service.setup:
            done = "; ".join(" ".join(command) for command in service.setup)
            yield f"before the first start, run once in the app's image: {done}"


def _name(given: Deployable, process: ProcessSpec) -> str:
    return "app" if len(given.processes) == 1 else process.name


def _service(given: Deployable, process: ProcessSpec) -> dict[str, Any]:
    front, is_nginx = given.processes[0], process.name == "nginx"
    found: dict[str, Any] = {}
    if is_nginx:
        found.update(image=NGINX_IMAGE, command=one_line(NGINX_ARGV))
    else:
        if given.builds:
            found["build"] = {"context": given.context, "dockerfile": _below(given.here, dockerfile.FILE)}
            if given.target.dockerfile is not None:
                found["build"]["args"] = {"APP_IMAGE": f"{given.name}-app"}
        found["image"] = given.name if given.builds else given.target.image
        if process.argv:
            found["command"] = one_line(process.argv)
        found["environment"] = dict(process.env)
        if given.target.secret_env:
            found["env_file"] = [given.target.env_file or ".env"]
        found["user"] = given.user
    if process is front:
        last = given.port + given.replicas - 1
        outside = str(given.port) if last == given.port else f"{given.port}-{last}"
        found["ports"] = [f"{outside}:{given.port}"]
    else:
        found["network_mode"] = f"service:{_name(given, front)}"
    if given.replicas > 1:
        found["deploy"] = {"replicas": given.replicas}
    found.update(_limits(given, is_nginx=is_nginx))
    mounts = [f"./{NGINX_FILE}:/etc/nginx/nginx.conf:ro"] if is_nginx else []
    if uses_tls(process):
        mounts.append(f"./tls:{CONTAINER_TLS}:ro")
    if mounts:
        found["volumes"] = mounts
    if not is_nginx and given.ready_path is not None and given.has_python:
        found["healthcheck"] = _health(given, process)
    if given.target.services and process is front:
        found["depends_on"] = [service.name for service in given.target.services]
    return {name: value for name, value in found.items() if value not in ({}, None)}


def _below(directory: str, name: str) -> str:
    return name if directory == "." else f"{directory}/{name}"


def _limits(given: Deployable, *, is_nginx: bool) -> Iterator[tuple[str, Any]]:
    """The same hardening as while it was measured."""
    if not is_nginx:
        yield "cpus", f"{given.cpus:g}"
        if given.memory_mib is not None:
            yield "mem_limit", f"{given.memory_mib}m"
    yield "read_only", True
    yield "tmpfs", list(given.writable)
    yield "cap_drop", ["ALL"]
    if given.target.capabilities and not is_nginx:
        yield "cap_add", list(given.target.capabilities)
    yield "security_opt", ["no-new-privileges:true"]
    yield "stop_grace_period", f"{given.stop_s}s"
    yield "restart", "unless-stopped"


def _health(given: Deployable, process: ProcessSpec) -> dict[str, Any]:
    port = given.port if len(given.processes) == 1 else given.port + given.processes.index(process)
    # The certificate names the host that clients ask for, which is not this one.
    secured = ("https", ", context=ssl._create_unverified_context()")
    scheme, more = secured if uses_tls(process) else ("http", "")
    url = f"{scheme}://127.0.0.1:{port}{given.ready_path}"
    look = f"import ssl, urllib.request as u; u.urlopen({url!r}, timeout=3{more})"
    start_s = max(10, round(10 * (given.start_s or 1)))
    return {
        "test": one_line(("CMD", "python3", "-c", look)),
        "interval": "10s",
        "timeout": "5s",
        "retries": 3,
        "start_period": f"{start_s}s",
    }


def _needed(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = {"image": service.image}
    if service.command:
        found["command"] = one_line(service.command)
    if service.env:
        found["environment"] = dict(service.env)
    if service.user:
        found["user"] = service.user
    if isinstance(service.ready, tuple) and service.ready:
        found["healthcheck"] = {"test": one_line(("CMD", *service.ready)), "interval": "5s", "retries": 10}
    return {**found, "restart": "unless-stopped"}
