"""From the directory of a search to its answer: what is advised, and the files that say so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from harness.adapters.result_store import QUESTION, RunStore
from harness.analysis.best_set import Simplicity, simplest_first
from harness.decision.advice import advise
from harness.decision.answer import Advice
from harness.decision.question import Question, with_memory_levels
from harness.decision.race import Race
from harness.errors import ConfigurationError
from harness.execution.blocks import RunEnd
from harness.pipeline import Resolved
from harness.recipes import RECIPES
from harness.records import published_schema
from harness.reporting.advice_text import documents
from harness.reporting.data import ReportData

_QUESTION = TypeAdapter(Question)
_ADVICE = TypeAdapter(Advice)
SCHEMA_VERSION = 1


def question_to_json(question: Question) -> dict[str, Any]:
    return _QUESTION.dump_python(question, mode="json")  # type: ignore[no-any-return]


def with_limits(known: Resolved, question: Question) -> Resolved:
    """With every variant under every memory limit that may be advised."""
    return replace(known, matrix=with_memory_levels(known.matrix, question))


def is_advice(store: RunStore) -> bool:
    """Whether a run was made to answer a question. Raises ConfigurationError when it is damaged."""
    return QUESTION in store.manifest()


def advice_of(store: RunStore, data: ReportData) -> Advice:
    """What a stored search says. Raises ConfigurationError when it is damaged."""
    manifest = store.manifest()
    try:
        question = _QUESTION.validate_python(manifest[QUESTION])
    except ValidationError as error:
        raise ConfigurationError(str(store.path), [f"{QUESTION}: {error}"]) from error
    failed = frozenset(manifest.get("failed_builds", {}))
    race = Race(store.matrix(), question, data.records, simplicity(), failed)
    return advise(race, complete=manifest["end"] == RunEnd.COMPLETE)


def simplicity() -> Simplicity:
    return simplest_first(sorted(RECIPES, key=lambda name: RECIPES[name].simplicity))


def advice_to_json(advice: Advice) -> bytes:
    """As `json_schema` describes."""
    told = {"schema": SCHEMA_VERSION, **_ADVICE.dump_python(advice, mode="json")}
    return json.dumps(told, indent=2).encode() + b"\n"


def json_schema() -> dict[str, Any]:
    """Of `advice_to_json`."""
    return published_schema(_ADVICE, SCHEMA_VERSION)


def write_advice(store: RunStore, advice: Advice, data: ReportData) -> list[Path]:
    """Write the answer's files into the run directory and return their paths, the page first."""
    return store.write_report([*documents(advice, data), ("advice.json", advice_to_json(advice))])
