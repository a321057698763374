"""Trial records sorted into cells: the last attempt at each trial, checked against the matrix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from harness.analysis.intervals import summarise
from harness.analysis.metrics import LATENCY_P99, METRICS, P99_MIN_REQUESTS
from harness.errors import ConfigurationError
from harness.findings import CellSummary, Summary
from harness.model import Matrix, TrialRecord, Validity, Variant


def twin_of_baseline(matrix: Matrix) -> Variant:
    return replace(matrix.baseline, twin=True)


def last_attempts(records: Iterable[TrialRecord]) -> tuple[TrialRecord, ...]:
    """One record per cell and block: an invalid trial is run again, and its last attempt counts."""
    latest = {(record.variant_id, record.scenario, record.block): record for record in records}
    return tuple(latest[key] for key in sorted(latest))


@dataclass(frozen=True, slots=True)
class Samples:
    """The last attempts of a run, by (variant id, scenario name), in block order."""

    cells: Mapping[tuple[str, str], tuple[TrialRecord, ...]]
    wrong_bodies: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Of all attempts together, those too that were made again."""

    def of(self, variant_id: str, scenario: str) -> tuple[TrialRecord, ...]:
        return self.cells.get((variant_id, scenario), ())

    def values(self, variant_id: str, scenario: str, metric: str) -> dict[int, float]:
        """The metric of every VALID trial of a cell, by block."""
        return {
            record.block: float(value)
            for record in self.of(variant_id, scenario)
            if record.validity is Validity.VALID and (value := getattr(record.metrics, metric)) is not None
        }

    def idle_cores(self, scenario: str) -> float:
        """Cores that all of a scenario's variants together used without load, by the median of each."""
        names = [variant_id for variant_id, name in self.cells if name == scenario]
        idle = [list(self.values(name, scenario, "idle_cpu_cores").values()) for name in names]
        return sum(median(values) for values in idle if values)

    def summary(self, variant_id: str, scenario: str) -> CellSummary:
        """What the run knows of one cell.

        The numbers are those of the trials that carry the cell's word, so a GENERATOR-BOUND cell shows
        what was reached; an INVALID cell shows none. p99 is left out below 10,000 requests in all.
        """
        records = self.of(variant_id, scenario)
        cannot_serve = any(record.cannot_serve for record in records)
        wrong = self.wrong_bodies.get((variant_id, scenario), 0)
        infeasible = cannot_serve or wrong > 0 or any(record.oom_killed for record in records)
        word = Validity.INVALID if infeasible else cell_word([record.validity for record in records])
        shown = [record for record in records if record.validity is word and word is not Validity.INVALID]
        return CellSummary(
            variant_id=variant_id,
            scenario=scenario,
            metrics=_summaries(shown, doubt=() if word is Validity.VALID else (f"{word}: not ranked",)),
            valid=sum(record.validity is Validity.VALID for record in records),
            trials=len(records),
            word=word,
            cannot_serve=cannot_serve,
            wrong_bodies=wrong,
        )


def samples_of(records: Sequence[TrialRecord], matrix: Matrix) -> Samples:
    """Sort the records of a run. Raises ConfigurationError, naming every misfit with `matrix`."""
    last = last_attempts(records)
    problems = _strangers(last, matrix)
    if problems:
        raise ConfigurationError(f"the trial records do not belong to matrix {matrix.name!r}", problems)
    cells: dict[tuple[str, str], tuple[TrialRecord, ...]] = {}
    for record in last:
        key = (record.variant_id, record.scenario)
        cells[key] = (*cells.get(key, ()), record)
    wrong: Counter[tuple[str, str]] = Counter()
    for record in records:
        if record.wrong_bodies:
            wrong[record.variant_id, record.scenario] += record.wrong_bodies
    return Samples(cells, wrong)


def cell_word(words: Sequence[Validity]) -> Validity:
    """The word that stands on a cell's numbers; only VALID is ranked.

    A variant that fails more often than it works is INVALID, however good its good trials look.
    As soon as half of the trials that gave numbers hit the generator's limit, the cell is
    GENERATOR-BOUND: those that did not are the slow half, and their mean would be too low.
    """
    counts = Counter(words)
    if 2 * counts[Validity.INVALID] > len(words):
        return Validity.INVALID
    if counts[Validity.VALID] > counts[Validity.GENERATOR_BOUND]:
        return Validity.VALID
    if counts[Validity.VALID]:
        return Validity.GENERATOR_BOUND
    if not words:
        return Validity.INVALID
    return max((Validity.GENERATOR_BOUND, Validity.NOISY, Validity.INVALID), key=counts.__getitem__)


def _summaries(records: Sequence[TrialRecord], doubt: tuple[str, ...]) -> dict[str, Summary]:
    """One Summary per metric that any of `records` holds."""
    measured = [record.metrics for record in records if record.metrics is not None]
    total = sum(metrics.requests for metrics in measured)
    summaries = {}
    for name, metric in METRICS.items():
        values = [float(value) for metrics in measured if (value := getattr(metrics, name)) is not None]
        if not values or (name == LATENCY_P99 and total < P99_MIN_REQUESTS):
            continue
        missing = len(measured) - len(values)
        # What is not compared need not be there: memory growth takes more readings than a slow trial has.
        lacking = missing and metric.better is not None
        gaps = (f"{missing} of {len(measured)} trials gave no value",) if lacking else ()
        summaries[name] = summarise(values, log_scale=not metric.arithmetic, warnings=(*doubt, *gaps))
    return summaries


def _strangers(records: Sequence[TrialRecord], matrix: Matrix) -> list[str]:
    """What does not fit the matrix, each unknown name once."""
    variants = {variant.id for variant in matrix.variants} | {twin_of_baseline(matrix).id}
    scenarios = {scenario.name for scenario in matrix.scenarios}
    return [
        *_unknown("variant", {record.variant_id: record.trial_id for record in records}, variants),
        *_unknown("scenario", {record.scenario: record.trial_id for record in records}, scenarios),
        *(
            f"trial {record.trial_id} is VALID but holds no metrics: its journal line is damaged"
            for record in records
            if record.validity is Validity.VALID and record.metrics is None
        ),
    ]


def _unknown(kind: str, seen: Mapping[str, str], known: Collection[str]) -> list[str]:
    """`seen` maps each name to a trial that carries it."""
    return [
        f"{kind} {name!r} (trial {trial_id}) is not one of {', '.join(sorted(known))}; "
        f"use the matrix that is stored with the run"
        for name, trial_id in sorted(seen.items())
        if name not in known
    ]
