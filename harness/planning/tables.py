"""Tables of a matrix file as the nouns of the model: target, services, requests, scenarios."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.model import Scenario
from harness.planning.schema import ScenarioTable
from harness.planning.schema_requests import ExpectTable, FileTable, RequestTable, StepTable, WeightedRequest
from harness.planning.schema_target import ServiceTable, TargetTable
from harness.target import Service, Target
from harness.workload import Expectation, FilePart, RequestSpec

NO_FILES: Mapping[str, str] = MappingProxyType({})


def target_of(
    table: TargetTable,
    *,
    name: str,
    context: str,
    app: str | None,
    app_dir: str,
    requirements: str | None,
    secret_env: tuple[str, ...],
) -> Target:
    """With what was found where the table leaves it out."""
    return Target(
        name=table.name or name,
        app=app,
        context=context,
        app_dir=app_dir,
        requirements=requirements,
        dockerfile=table.dockerfile,
        image=table.image,
        base_image=table.base_image,
        command=tuple(table.command),
        port=table.port,
        python=table.python,
        ready=table.ready,
        env=table.env,
        secret_env=secret_env,
        env_file=table.env_file,
        writable=tuple(table.writable),
        user=table.user,
        capabilities=tuple(table.capabilities),
        services=tuple(_service(service) for service in table.services),
    )


def _service(table: ServiceTable) -> Service:
    return Service(
        name=table.name,
        image=table.image,
        command=tuple(table.command),
        env=table.env,
        ready=table.ready if isinstance(table.ready, str) else tuple(table.ready),
        setup=tuple(tuple(command) for command in table.setup),
        life=table.life,
        writable=tuple(table.writable),
        user=table.user,
    )


def scenario_of(table: ScenarioTable, files_sha256: Mapping[str, str] = NO_FILES) -> Scenario:
    return Scenario(
        name=table.name,
        locustfile="" if table.requests else table.locustfile or table.name,
        load=table.load.load(),
        warmup_s=table.warmup_s,
        measure_s=table.measure_s,
        slo_ms=table.slo_ms,
        slo_share=table.slo_share,
        request_timeout_s=table.request_timeout_s,
        requests=tuple(request_of(request) for request in table.requests),
        before=tuple(request_of(step) for step in table.before),
        files_sha256=dict(files_sha256),
    )


def request_of(table: RequestTable) -> RequestSpec:
    return RequestSpec(
        path=table.path,
        method=table.method,
        headers=table.headers,
        json=table.json_,
        form=table.form,
        files=tuple(_file(field, given) for field, given in table.files.items()),
        body=table.body,
        body_file=table.body_file,
        expect=_expectation(table.expect),
        weight=table.weight if isinstance(table, WeightedRequest) else 1,
        data=table.data,
        keep=table.keep if isinstance(table, StepTable) else {},
    )


def _file(field: str, given: str | FileTable) -> FilePart:
    if isinstance(given, str):
        return FilePart(field_name=field, path=given)
    return FilePart(field_name=field, path=given.path, content_type=given.content_type)


def _expectation(table: ExpectTable) -> Expectation:
    return Expectation(
        status=table.status,
        json=table.json_,
        json_exact=table.json_exact,
        text=table.text,
        headers=table.headers,
        json_schema=table.schema_,
    )
