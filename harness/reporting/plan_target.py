"""The target and the workloads of a plan as text; of secrets the names only."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from harness.model import Scenario
from harness.planning.variables import secrets_of
from harness.reporting.wording import made_from
from harness.target import Service, Target, Version
from harness.workload import RequestSpec


def target_lines(target: Target, versions: Sequence[Version]) -> Iterator[str]:
    yield f"target: {target.name}"
    yield f"  app          {_app(target)}"
    yield f"  image        {_image(target)}"
    if target.command:
        yield f"  command      {shlex.join(target.command)} (port {target.port})"
    yield f"  ready        {target.ready or 'once the first request is answered as expected'}"
    if target.env:
        yield f"  environment  {_pairs(target.env)}"
    if target.secret_env:
        yield f"  secrets      {', '.join(target.secret_env)} (from {target.env_file}; values are not stored)"
    if target.writable:
        yield f"  writable     {', '.join(target.writable)}"
    if target.capabilities:
        yield f"  capabilities {', '.join(target.capabilities)} (of all others containers have none)"
    for version in versions:
        yield f"  version      {version.name}: {made_from(version)}"
    for service in target.services:
        yield from _service(service)


def workload_lines(scenario: Scenario) -> Iterator[str]:
    for step in scenario.before:
        kept = f", keeps {', '.join(step.keep)}" if step.keep else ""
        yield f"    once a client  {_request(step)}{kept}"
    total = sum(request.weight for request in scenario.requests)
    for request in scenario.requests:
        yield f"    {request.weight} of {total}  {_request(request)}"
    if names := sorted(secrets_of(scenario)):
        yield f"    secrets  {', '.join(names)} (values are not stored)"
    for path, digest in sorted(scenario.files_sha256.items()):
        yield f"    file  {path}  sha256 {digest[:12]}"


def _app(target: Target) -> str:
    if target.app is None:
        return "none: a black box with its own command"
    return f"{target.app} in {target.app_dir}" if target.app_dir else target.app


def _image(target: Target) -> str:
    if target.image:
        return target.image
    if target.dockerfile:
        return f"built from {target.dockerfile} in {target.context}"
    return f"made from {target.requirements} and {target.context}"


def _service(service: Service) -> Iterator[str]:
    life = "fresh for each block" if service.life == "block" else "kept for the whole run"
    yield f"  service      {service.name}: {service.image}, {life}"
    if service.ready:
        ready = service.ready if isinstance(service.ready, str) else shlex.join(service.ready)
        yield f"    ready      {ready}"
    for command in service.setup:
        yield f"    set up by  {shlex.join(command)}"


def _request(request: RequestSpec) -> str:
    given = {"json": request.json, "form": request.form, "body": request.body, "body_file": request.body_file}
    body = next((f" with {name}" for name, value in given.items() if value is not None), "")
    files = " and files" if request.files and body else " with files" if request.files else ""
    rows = f", rows of {request.data}" if request.data else ""
    return f"{request.method} {request.path}{body}{files} -> {request.expect.status}{rows}"


def _pairs(env: Mapping[str, str]) -> str:
    return shlex.join(f"{name}={value}" for name, value in env.items())
