"""The run directory: a manifest written whole, a journal that only grows, raw arrays next to it.

A trial's record is on disk, fsynced, before the next trial starts.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np

from harness.adapters.journal import Journal, disk_errors, write_whole
from harness.deployment import ResourceReading
from harness.errors import ConfigurationError
from harness.evidence import TrialEvidence
from harness.measurement.load import LoadRecord
from harness.model import Matrix, TrialRecord
from harness.records import (
    SCHEMA_VERSION,
    evidence_from_json,
    evidence_to_json,
    matrix_from_json,
    matrix_to_json,
    readings_from_json,
    readings_to_json,
    trial_from_json,
    trial_to_json,
)

MANIFEST, JOURNAL, EVIDENCE = "manifest.json", "journal.jsonl", "evidence.json"
TORN_TAIL = "the journal ends in the middle of a record, which is passed over"
QUESTION = "advise"
"""The key of a manifest that holds what a search was to answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTrial:
    """A trial's raw material."""

    load: LoadRecord
    readings: tuple[ResourceReading, ...]
    evidence: TrialEvidence | None
    """None of a trial that failed after its load, and of one that an earlier version measured."""
    log: str


class RunStore:
    """One run directory. Every write either is whole or leaves what was there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, results: Path, run_id: str, manifest: Mapping[str, Any], matrix: Matrix) -> RunStore:
        """A new run directory with its manifest, before the first trial (METHOD, protocol 4)."""
        store = cls(results / run_id)
        with disk_errors(store.path):
            store.path.mkdir(parents=True)
        store.write_manifest(
            {
                "schema": SCHEMA_VERSION,
                "run_id": run_id,
                "end": None,
                **manifest,
                "matrix": matrix_to_json(matrix),
            }
        )
        return store

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        self.write_file(MANIFEST, json.dumps(manifest, indent=2, sort_keys=False).encode() + b"\n")

    def update_manifest(self, **changes: Any) -> None:
        self.write_manifest({**self.manifest(), **changes})

    def manifest(self) -> dict[str, Any]:
        """Raises ConfigurationError when this is no run directory or its manifest is damaged."""
        path = self.path / MANIFEST
        try:
            manifest: dict[str, Any] = json.loads(path.read_bytes())
        except FileNotFoundError as error:
            problem = "no manifest.json here; give a run directory such as results/<run_id>"
            raise ConfigurationError(str(self.path), [problem]) from error
        except ValueError as error:
            raise ConfigurationError(str(path), [f"not valid JSON ({error}); the run is damaged"]) from error
        if manifest.get("schema") != SCHEMA_VERSION:
            problem = f"schema {manifest.get('schema')!r}; this version reads {SCHEMA_VERSION}"
            raise ConfigurationError(str(path), [problem])
        return manifest

    def matrix(self) -> Matrix:
        return matrix_from_json(self.manifest().get("matrix"), where=str(self.path / MANIFEST))

    @property
    def journal(self) -> Journal[TrialRecord]:
        return Journal(self.path / JOURNAL, trial_to_json, trial_from_json)

    def append(self, record: TrialRecord) -> None:
        """Add a record to the journal; on return it survives a power cut."""
        self.journal.append(record)

    def records(self) -> tuple[TrialRecord, ...]:
        """All whole records. A torn last line is left out; damage before it is an error."""
        return self.journal.records()

    def torn_tail(self) -> bool:
        """Whether the journal ends in the middle of a record."""
        return self.journal.torn_tail()

    def save_trial(
        self,
        trial_id: str,
        load: LoadRecord | None,
        readings: tuple[ResourceReading, ...],
        log: str,
        evidence: TrialEvidence | None = None,
    ) -> None:
        """All that a trial left, before its record goes into the journal."""
        directory = f"trials/{trial_id}"
        self.write_file(f"{directory}/server.log", log.encode())
        if evidence is not None:
            self.write_file(f"{directory}/{EVIDENCE}", evidence_to_json(evidence))
        self.write_file(f"{directory}/resources.json", readings_to_json(readings))
        if load is not None:
            told = {field.name: getattr(load, field.name) for field in fields(load)}
            arrays = {name: np.asarray(value) for name, value in told.items() if value is not None}
            packed = io.BytesIO()
            np.savez_compressed(packed, allow_pickle=False, **arrays)
            self.write_file(f"{directory}/requests.npz", packed.getvalue())

    def trial(self, trial_id: str) -> StoredTrial | None:
        """None where a trial ended before its load did."""
        directory = self.path / "trials" / trial_id
        if not (directory / "requests.npz").exists():
            return None
        with np.load(directory / "requests.npz", allow_pickle=False) as arrays:
            load = LoadRecord(**{name: a if a.ndim else a.item() for name, a in arrays.items()})
        readings = readings_from_json((directory / "resources.json").read_bytes())
        evidence = directory / EVIDENCE
        return StoredTrial(
            load=load,
            readings=readings,
            evidence=evidence_from_json(evidence.read_bytes(), where=str(evidence))
            if evidence.exists()
            else None,
            log=(directory / "server.log").read_bytes().decode(errors="replace"),
        )

    def write_file(self, name: str, content: bytes) -> Path:
        """Write a file whole or not at all, and return its path."""
        return write_whole(self.path / name, content)

    def write_report(self, files: Iterable[tuple[str, bytes]]) -> list[Path]:
        """Write what was computed from the rest, and can be again, into report/; their paths in order."""
        again = f"write it again: harness report {self.path.name}"
        return [write_whole(self.path / "report" / name, content, then=again) for name, content in files]


def new_run_id(results: Path, name: str, now: datetime) -> str:
    """UTC time and matrix name, with a number where that directory is taken already."""
    stem = f"{now:%Y%m%d-%H%M%S}-{name}"
    taken = (f"{stem}-{number}" for number in count(2))
    return next(run_id for run_id in chain([stem], taken) if not (results / run_id).exists())


def runs_in(results: Path) -> Iterator[RunStore]:
    """Run directories, oldest first; their names start with their UTC time."""
    if results.is_dir():
        for path in sorted(results.iterdir()):
            if (path / MANIFEST).is_file():
                yield RunStore(path)


def find_run(results: Path, name: str | None, *, of_matrix: str | None = None) -> RunStore:
    """A run by path, by id or its beginning, or (without a name) the newest, of one matrix if need be.

    Raises ConfigurationError.
    """
    if name is not None:
        for path in (Path(name), results / name):
            if (path / MANIFEST).is_file():
                return RunStore(path)
        begun = [run for run in runs_in(results) if name and run.path.name.startswith(name)]
        if len(begun) == 1:
            return begun[0]
        if begun:
            ids = ", ".join(run.path.name for run in begun)
            raise ConfigurationError(name, [f"{len(begun)} runs begin so: {ids}.\n    Fix: write more of it"])
        raise ConfigurationError(name, ["no such run; `harness list` shows the runs there are"])
    runs = [run for run in runs_in(results) if of_matrix is None or _is_of(run, of_matrix)]
    if not runs:
        wanted = of_matrix or "quick"
        which = f"of {of_matrix} " if of_matrix else ""
        problem = f"no run {which}yet; start one with `harness run --matrix matrices/{wanted}.toml`"
        raise ConfigurationError(str(results), [problem])
    return runs[-1]


def _is_of(run: RunStore, matrix_name: str) -> bool:
    """A damaged run next to it must not keep another one from being found."""
    try:
        return run.matrix().name == matrix_name
    except ConfigurationError:
        return False
