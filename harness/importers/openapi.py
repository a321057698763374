"""An OpenAPI document as requests: operations, parameters and bodies, and what answers must be."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, ClassVar, Protocol

import yaml

from harness.errors import ConfigurationError
from harness.importers.imported import WRITE_METHODS, Imported, fitting
from harness.importers.literals import Unusable
from harness.importers.openapi_lists import Lists
from harness.importers.openapi_operation import OpenapiValues, Operation
from harness.importers.openapi_samples import NoSample
from harness.importers.openapi_schema import Document
from harness.workload import RequestSpec

METHODS = ("GET", *WRITE_METHODS)
"""In the order of the requests written. HEAD is GET without what is checked."""
MAX_OPERATIONS = 2000
MAX_SIZE = 16 * 1024 * 1024
MAX_NODES = 500_000
MAX_DEPTH = 100
DEFAULT_LIMIT = 50


class Generate(Protocol):
    """Makes the values of an operation that its examples, defaults and types do not give."""

    def __call__(self, method: str, path: str) -> OpenapiValues | None: ...


@dataclass(slots=True)
class _Draft:
    """What is known so far."""

    requests: list[RequestSpec] = field(default_factory=list)
    before: dict[str, RequestSpec] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def from_openapi(
    document: Mapping[str, Any],
    *,
    where: str,
    writes: bool = False,
    limit: int = DEFAULT_LIMIT,
    generate: Generate | None = None,
) -> Imported:
    """One request per operation, equal weights; GET first, others with `writes` only.

    Raises ConfigurationError when it is no OpenAPI 3 document, or nothing of it can be used.
    """
    api = Document(_checked(document, where))
    lists = Lists(api)
    draft = _Draft(warnings=list(api.server_warnings()))
    needs: dict[str, list[str]] = {}
    operations = list(_operations(api, where))
    for operation in sorted(operations, key=lambda one: METHODS.index(one.method)):
        if len(draft.requests) >= limit:
            draft.warnings.append(f"Only the first {limit} of {len(operations)} operations are kept.")
            break
        if operation.method == "DELETE" and writes:
            draft.warnings.append(f"{operation}: left out, one thing can be deleted once only.")
            continue
        if operation.method in WRITE_METHODS and not writes:
            draft.warnings.append(f"{operation}: left out, it may change data (--writes takes these in).")
            continue
        _add(operation, lists, generate, draft)
        for scheme in operation.security():
            needs.setdefault(scheme, []).append(str(operation))
    draft.warnings += [api.security_warning(scheme, users) for scheme, users in needs.items()]
    _cut_to_a_file(draft)
    if not draft.requests:
        raise ConfigurationError(where, ["no operation of it can be used", *draft.warnings])
    return Imported(
        requests=tuple(draft.requests), before=tuple(draft.before.values()), warnings=tuple(draft.warnings)
    )


def _cut_to_a_file(draft: _Draft) -> None:
    number = fitting(draft.requests)
    if number < len(draft.requests):
        total = len(draft.requests)
        draft.warnings.append(
            f"The first {number} of {total} requests are kept: a matrix file holds no more."
        )
        del draft.requests[number:]


def parsed(text: str | bytes, *, where: str) -> Any:
    """An OpenAPI document of JSON or YAML. Raises ConfigurationError."""
    if len(text) > MAX_SIZE:
        raise ConfigurationError(where, [f"it exceeds {MAX_SIZE // 2**20} MiB, the most that is read"])
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        line = (str(error).splitlines() or ["nested too deeply"])[0]
        raise ConfigurationError(where, [f"neither JSON nor YAML: {line}"]) from error


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # it comes without types
    """Leaves dates as texts, as JSON has them."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _bounded(document: Any, where: str) -> None:
    """Raises ConfigurationError for a document too large to walk through, as YAML's aliases allow."""
    left, level = MAX_NODES, [document]
    for _ in range(MAX_DEPTH):
        level = list(
            islice(
                (
                    item
                    for node in level
                    if isinstance(node, Mapping | list)
                    for item in (node.values() if isinstance(node, Mapping) else node)
                ),
                left + 1,
            )
        )
        left -= len(level)
        if left < 0 or not level:
            break
    if left < 0 or level:
        raise ConfigurationError(
            where, [f"it has more than {MAX_NODES:,} values, or is nested more than {MAX_DEPTH} levels deep"]
        )


def _checked(document: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(document, Mapping):
        raise ConfigurationError(where, ["not an OpenAPI document: it is no object"])
    version = str(document.get("openapi", ""))
    if "swagger" in document:
        raise ConfigurationError(where, ["Swagger 2 is not read. Fix: convert the document to OpenAPI 3"])
    if not version.startswith("3."):
        raise ConfigurationError(where, [f"not an OpenAPI 3 document: openapi = {version[:20]!a}"])
    _bounded(document, where)
    if not isinstance(document.get("paths"), Mapping):
        raise ConfigurationError(where, ["not an OpenAPI document: it has no paths"])
    return document


def _operations(api: Document, where: str) -> Iterator[Operation]:
    number = 0
    for path, raw in api.paths():
        item = api.resolved(raw)
        for method in METHODS:
            if isinstance(item.get(method.lower()), Mapping):
                number += 1
                if number > MAX_OPERATIONS:
                    raise ConfigurationError(where, [f"it has more than {MAX_OPERATIONS} operations"])
                yield Operation(api, path, method, item)


def _add(operation: Operation, lists: Lists, generate: Generate | None, draft: _Draft) -> None:
    """The operation's request and the steps that it needs, or why there is none."""
    steps = lists.steps_for(operation)
    known = {parameter: f"{{{step.variable}}}" for parameter, step in steps.items()}
    try:
        spec, guessed = operation.request(known)
    except Unusable as error:
        draft.warnings.append(f"{operation}: left out, {error}.")
        return
    except NoSample as error:
        made = generate(operation.method, operation.path) if generate and error.can_generate else None
        if made is None:
            hint = " Fix: pip install 'harness[openapi]'." if error.can_generate and not generate else ""
            draft.warnings.append(f"{operation}: left out, {error}.{hint}")
            return
        spec, guessed = operation.request(known, made)
    draft.requests.append(spec)
    draft.warnings += [f"{operation}: {words}" for words in guessed]
    for step in steps.values():
        earlier = draft.before.get(step.path)
        step_spec = earlier or RequestSpec(path=step.path)
        draft.before[step.path] = replace(step_spec, keep={**step_spec.keep, step.variable: step.keep})
