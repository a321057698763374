"""Reads the evidence from where runs and experiments were stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.adapters.result_store import runs_in
from studies.claims.claim_evidence import ClaimEvidence, MeasuredRun
from studies.claims.lifecycle import LIFECYCLE
from studies.observation_store import MANIFEST as EXPERIMENT_MANIFEST
from studies.observation_store import ExperimentStore
from studies.observations import FAILED_ATTEMPTS, Observation


def stored_evidence(directory: Path) -> ClaimEvidence:
    """Every run and experiment in `directory`, each in one of its own that is named after its preset.

    Raises ConfigurationError when one is damaged.
    """
    runs = {
        store.path.name: MeasuredRun.of(store.path.name, store.matrix(), store.records())
        for store in runs_in(directory)
    }
    return ClaimEvidence(runs=runs, observations=tuple(_observations(directory)))


def stored_machines(directory: Path) -> list[tuple[str, Mapping[str, str]]]:
    """For every run and experiment: its name, and where, when and with what it was made."""
    runs = [(store.path.name, store.manifest()) for store in runs_in(directory)]
    experiments = [(store.path.name, store.manifest()) for store in _experiments(directory)]
    return [(name, _machine(manifest)) for name, manifest in (*runs, *experiments)]


def made_again(directory: Path) -> list[str]:
    """For every experiment: the repeats that failed on the way and were made again, if they were recorded."""
    return [line for store in _experiments(directory) for line in _made_again(store)]


def versions(directory: Path) -> dict[str, str]:
    """What the servers said of themselves from inside, all runs taken together."""
    seen: dict[str, set[str]] = {}
    for store in runs_in(directory):
        for record in store.records():
            for package, version in (record.facts.versions if record.facts else {}).items():
                seen.setdefault(package, set()).add(version)
    return {package: ", ".join(sorted(found)) for package, found in sorted(seen.items())}


def _observations(directory: Path) -> Iterator[Observation]:
    for store in _experiments(directory):
        yield from store.observations()


def _made_again(store: ExperimentStore) -> Iterator[str]:
    attempts = [seen for seen in store.observations() if seen.quantity == FAILED_ATTEMPTS]
    if store.manifest().get("experiment") == LIFECYCLE and not attempts:
        yield f"{store.path.name}: failed attempts were not recorded"
    for seen in attempts:
        if failed := sum(value or 0 for value in seen.values):
            yield f"{seen.probe} {seen.target}: {failed:g} failed and made again ({seen.note})"


def _experiments(directory: Path) -> Iterator[ExperimentStore]:
    for path in sorted(directory.iterdir()) if directory.is_dir() else ():
        if (path / EXPERIMENT_MANIFEST).is_file():
            yield ExperimentStore(path)


def _machine(manifest: Mapping[str, Any]) -> dict[str, str]:
    host, facts = manifest.get("host", {}), manifest.get("engine_facts", {})
    return {
        "cpu": f"{host.get('cpus_host', '?')} x {host.get('cpu_model', '?')}",
        "memory": f"{host.get('memory_bytes', 0) / 2**30:.0f} GiB",
        "kernel": str(host.get("kernel", "?")),
        "engine": f"{manifest.get('engine', '?')} {facts.get('engine_version', '')}".strip(),
        "date": str(manifest.get("started_at", "?"))[:10],
    }
