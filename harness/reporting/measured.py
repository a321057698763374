"""What was measured and what was sent, as label and value: the target, its services, its requests."""

from __future__ import annotations

from collections.abc import Iterator

from harness.model import Scenario
from harness.reporting.data import ReportData
from harness.reporting.wording import made_from
from harness.target import Service, Target
from harness.workload import RequestSpec

SHOWN_REQUESTS = 20


def measured_rows(data: ReportData) -> Iterator[tuple[str, str]]:
    """Values of secrets are nowhere in a stored run; only their names are shown."""
    if data.matrix.target is not None:
        yield from _target(data.matrix.target)
    for version in data.matrix.versions:
        yield f"version {version.name}", made_from(version)
    for scenario in data.matrix.scenarios:
        yield from _workload(scenario)


def _target(target: Target) -> Iterator[tuple[str, str]]:
    source = target.image or target.dockerfile or target.requirements
    yield "target", f"{target.name}: {target.app or 'its own command'}"
    if source:
        yield "target made from", source
    if target.command:
        yield "target's own command", " ".join(target.command)
    if target.env:
        yield "target's environment", ", ".join(f"{name}={value}" for name, value in target.env.items())
    if target.secret_env:
        yield "secrets (values not stored)", ", ".join(target.secret_env)
    for service in target.services:
        yield f"service {service.name}", _service(service)


def _service(service: Service) -> str:
    life = "fresh for each block" if service.life == "block" else "kept for the run"
    setup = f", {len(service.setup)} setup commands" if service.setup else ""
    return f"{service.image}, {life}{setup}"


def _workload(scenario: Scenario) -> Iterator[tuple[str, str]]:
    name = f"requests of {scenario.name}"
    if scenario.requests:
        yield name, _listed(scenario.requests)
    elif scenario.locustfile.endswith(".py"):
        yield name, f"Locust file {scenario.locustfile}"
    if scenario.before:
        yield f"steps before {scenario.name}", _listed(scenario.before)
    for path, sha256 in scenario.files_sha256.items():
        yield f"file of {scenario.name}", f"{path} (SHA-256 {sha256[:16]})"


def _listed(requests: tuple[RequestSpec, ...]) -> str:
    total = sum(request.weight for request in requests)
    shown = [
        f"{request.method} {request.path}" + (f" ({request.weight} of {total})" if len(requests) > 1 else "")
        for request in requests[:SHOWN_REQUESTS]
    ]
    more = len(requests) - len(shown)
    return "; ".join((*shown, f"{more} more") if more else shown)
