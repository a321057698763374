"""Nouns to JSON and back, with a schema version."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError

from harness.deployment import ResourceReading
from harness.errors import ConfigurationError
from harness.evidence import TrialEvidence
from harness.findings import WrapperCost
from harness.model import Matrix, TrialRecord

SCHEMA_VERSION = 1

_TRIAL = TypeAdapter(TrialRecord)
_MATRIX = TypeAdapter(Matrix)
_READINGS = TypeAdapter(tuple[ResourceReading, ...])
_EVIDENCE = TypeAdapter(TrialEvidence)
_WRAPPER_COST = TypeAdapter(WrapperCost)

NOT_MEASURED = "not_measured"


def trial_to_json(record: TrialRecord) -> bytes:
    """One line, without a line break."""
    return _TRIAL.dump_json(record)


def trial_from_json(line: bytes) -> TrialRecord:
    """Raises pydantic.ValidationError when the line is not a whole record."""
    return _TRIAL.validate_json(line)


def matrix_to_json(matrix: Matrix) -> dict[str, Any]:
    return _MATRIX.dump_python(matrix, mode="json")  # type: ignore[no-any-return]


def matrix_from_json(value: object, *, where: str) -> Matrix:
    """Raises ConfigurationError naming the fields that do not fit."""
    try:
        return _MATRIX.validate_python(value)
    except ValidationError as error:
        raise ConfigurationError(
            where, [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        ) from error


def readings_to_json(readings: tuple[ResourceReading, ...]) -> bytes:
    return _READINGS.dump_json(readings)


def readings_from_json(text: bytes) -> tuple[ResourceReading, ...]:
    return _READINGS.validate_json(text)


def evidence_to_json(evidence: TrialEvidence) -> bytes:
    return _EVIDENCE.dump_json(evidence)


def evidence_from_json(text: bytes, *, where: str) -> TrialEvidence:
    """Raises ConfigurationError where the file at `where` is damaged."""
    try:
        return _EVIDENCE.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        problem = f"{'.'.join(map(str, first['loc']))}: {first['msg']}; the evidence of this trial is damaged"
        raise ConfigurationError(where, [problem]) from error


def wrapper_cost_to_json(cost: WrapperCost | str) -> dict[str, object]:
    """A cost, or why there is none."""
    if isinstance(cost, str):
        return {NOT_MEASURED: cost}
    return _WRAPPER_COST.dump_python(cost, mode="json")  # type: ignore[no-any-return]


def wrapper_cost_from_json(value: object, *, where: str) -> WrapperCost | str | None:
    """None where a run says nothing of it. Raises ConfigurationError where it is neither."""
    if value is None:
        return None
    if isinstance(value, dict) and isinstance(why := value.get(NOT_MEASURED), str):
        return why
    try:
        return _WRAPPER_COST.validate_python(value)
    except ValidationError as error:
        raise ConfigurationError(where, [f"wrapper_cost: {error.errors()[0]['msg']}"]) from error


def published_schema(adapter: TypeAdapter[Any], version: int) -> dict[str, Any]:
    """The JSON Schema of what an adapter writes, next to the version of its form under the key `schema`."""
    schema = adapter.json_schema(mode="serialization")
    schema["properties"] = {"schema": {"const": version}, **schema["properties"]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
