"""The directory of an experiment that is no matrix run: a manifest and a journal of observations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from harness.adapters.journal import Journal, write_whole
from harness.errors import ConfigurationError
from harness.records import SCHEMA_VERSION
from studies.observations import Observation

_OBSERVATION = TypeAdapter(Observation)

MANIFEST, JOURNAL = "experiment.json", "observations.jsonl"


class ExperimentStore:
    """One experiment's directory. What has been observed is never measured again on resume."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._journal = Journal(path / JOURNAL, _OBSERVATION.dump_json, _OBSERVATION.validate_json)

    @classmethod
    def open(cls, path: Path, manifest: Mapping[str, Any]) -> ExperimentStore:
        """The store at `path`: a new one with this manifest, or the one that is there, to resume with."""
        store = cls(path)
        if not (path / MANIFEST).exists():
            content = json.dumps({"schema": SCHEMA_VERSION, **manifest}, indent=2)
            write_whole(path / MANIFEST, content.encode() + b"\n")
        return store

    def manifest(self) -> dict[str, Any]:
        """Raises ConfigurationError when this is no experiment's directory or its manifest is damaged."""
        path = self.path / MANIFEST
        try:
            manifest: dict[str, Any] = json.loads(path.read_bytes())
        except FileNotFoundError as error:
            raise ConfigurationError(str(self.path), [f"no {MANIFEST} here"]) from error
        except ValueError as error:
            raise ConfigurationError(str(path), [f"not valid JSON ({error})"]) from error
        return manifest

    def append(self, observation: Observation) -> None:
        self._journal.append(observation)

    def observations(self) -> tuple[Observation, ...]:
        return self._journal.records()
