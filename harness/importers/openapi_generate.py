"""OpenapiValues for schemas that no example fits, by schemathesis (the extra "openapi"). Nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.importers.openapi import Generate
from harness.importers.openapi_operation import OpenapiValues

PLACES = {"path": "path_parameters", "query": "query", "header": "headers"}


def generator(document: Mapping[str, Any]) -> Generate | None:
    """Makes the same values each time; None where the extra is not installed."""
    try:
        import hypothesis
        import schemathesis
        from hypothesis.errors import HypothesisException
        from schemathesis.core.errors import SchemathesisError
    except ImportError:
        return None

    settings = hypothesis.settings(
        max_examples=1,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )

    def generate(method: str, path: str) -> OpenapiValues | None:
        found: list[Any] = []
        try:
            operation = schemathesis.openapi.from_dict(dict(document))[path][method]

            @settings
            @hypothesis.given(operation.as_strategy())
            def keep(case: Any) -> None:
                found.append(case)

            keep()
        except (SchemathesisError, HypothesisException, LookupError):
            return None
        return _values(found[0]) if found else None

    return generate


def _values(case: Any) -> OpenapiValues:
    parameters = {
        (place, name): value
        for place, attribute in PLACES.items()
        for name, value in (getattr(case, attribute) or {}).items()
    }
    body = case.body if isinstance(case.body, dict | list | str | int | float | bool) else None
    return OpenapiValues(parameters=parameters, body=body)
