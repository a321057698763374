"""Two versions of an app against thresholds: of one interleaved run, or of two stored runs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from harness.analysis.comparisons import Cells, compare, floor_of, summarise_cells
from harness.analysis.holm import holm
from harness.analysis.intervals import p_value_within, unpaired_ratio
from harness.analysis.metrics import METRICS, WORKING_SET, compared_metrics, ranking_metric
from harness.analysis.samples import Samples, samples_of, twin_of_baseline
from harness.decision.change_sentence import sentence_of
from harness.decision.changes import Change, VersionComparison
from harness.decision.thresholds import (
    Outcome,
    Threshold,
    of_all,
    outcome_of,
    usual_threshold,
)
from harness.findings import Comparison
from harness.model import Matrix, Scenario, TrialRecord, Validity

ONE_AFTER_THE_OTHER = (
    "the runs were made one after the other: what the machine did between them is in no interval. "
    "`harness compare` on two git refs, requirement files or images measures both in one run"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """What a comparison is of: what each side is called, and its variant in the run."""

    base: str
    new: str
    base_id: str
    new_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRun:
    """A stored run, as it is compared with another."""

    name: str
    matrix: Matrix
    records: Sequence[TrialRecord]


@dataclass(frozen=True, slots=True)
class _Known:
    """A run's records, sorted into cells."""

    name: str
    matrix: Matrix
    samples: Samples
    cells: Cells

    @classmethod
    def of(cls, run: ComparedRun) -> _Known:
        samples = samples_of(run.records, run.matrix)
        return cls(run.name, run.matrix, samples, summarise_cells(samples, run.matrix))

    def compared(self, key: tuple[str, str], variant_id: str, other_id: str) -> Comparison | None:
        return compare(self.samples, self.cells, key, variant_id, other_id)

    def floor(self, key: tuple[str, str]) -> float | None:
        """Of a scenario and metric."""
        return floor_of(self.compared(key, twin_of_baseline(self.matrix).id, self.matrix.baseline_id))

    def unranked(self, name: str, variant_id: str, scenario: str) -> str | None:
        """Why a cell has no figures to compare, in a sentence about `name`; None where it has."""
        cell = self.cells[variant_id, scenario]
        if cell.word is Validity.VALID:
            return None
        reasons = [reason for record in self.samples.of(variant_id, scenario) for reason in record.reasons]
        why = reasons[-1] if reasons else "it was not measured"
        return f"{name} on {scenario} is {cell.word}: {why}"


def compare_in_run(
    records: Sequence[TrialRecord], matrix: Matrix, versions: Versions, thresholds: Sequence[Threshold]
) -> VersionComparison:
    """Two variants of one run, paired by block. Without thresholds the usual ones hold."""
    known = _Known.of(ComparedRun(name=matrix.name, matrix=matrix, records=records))
    sides = ((versions.base, versions.base_id), (versions.new, versions.new_id))
    found: list[Change] = []
    problems: list[str] = []
    for scenario in matrix.scenarios:
        lacking = [p for name, side in sides if (p := known.unranked(name, side, scenario.name))]
        problems += lacking
        if not lacking:
            found += _paired(known, versions, scenario, _metrics(scenario, thresholds))
    names = versions.base, versions.new
    return _settled(names, found, problems, thresholds, matrix, margin=matrix.margin, paired=True)


def changes_among(
    records: Sequence[TrialRecord], matrix: Matrix, ids: Mapping[str, str], metric: str
) -> tuple[dict[tuple[str, str], Change], list[str]]:
    """A metric of each version of a run against each one before it, by (older, newer), and what could not be
    measured. `ids`: the variant of each version."""
    known = _Known.of(ComparedRun(name=matrix.name, matrix=matrix, records=records))
    found: dict[tuple[str, str], Change] = {}
    problems: list[str] = []
    for scenario in matrix.scenarios:
        lacking = {name: p for name, one in ids.items() if (p := known.unranked(name, one, scenario.name))}
        problems += lacking.values()
        for old, new in combinations((name for name in ids if name not in lacking), 2):
            versions = Versions(base=old, new=new, base_id=ids[old], new_id=ids[new])
            for one in _paired(known, versions, scenario, (metric,)):
                found[old, new] = one
    return found, problems


def compare_runs(base: ComparedRun, new: ComparedRun, thresholds: Sequence[Threshold]) -> VersionComparison:
    """The cells that two runs have in common, unpaired. Without thresholds the usual ones hold."""
    runs = _Known.of(base), _Known.of(new)
    found: list[Change] = []
    problems: list[str] = []
    theirs = {variant.id for variant in new.matrix.variants}
    shared = [variant.id for variant in base.matrix.variants if variant.id in theirs]
    if not shared:
        problems.append(f"{base.name} and {new.name} have no variant in common")
    for scenario in base.matrix.scenarios:
        for variant_id in shared if scenario.name in {other.name for other in new.matrix.scenarios} else ():
            lacking = [p for run in runs if (p := run.unranked(run.name, variant_id, scenario.name))]
            problems += lacking
            if not lacking:
                found += _unpaired(runs, variant_id, scenario, _metrics(scenario, thresholds))
    margin = max(base.matrix.margin, new.matrix.margin)
    names = base.name, new.name
    return _settled(names, found, problems, thresholds, base.matrix, margin=margin, paired=False)


def _metrics(scenario: Scenario, thresholds: Sequence[Threshold]) -> tuple[str, ...]:
    asked = [t.metric for t in thresholds if t.scenario in (None, scenario.name)]
    return tuple(dict.fromkeys((*compared_metrics(scenario), *asked)))


def _paired(
    known: _Known, versions: Versions, scenario: Scenario, metrics: Sequence[str]
) -> Iterator[Change]:
    for metric in metrics:
        key = (scenario.name, metric)
        pair = known.compared(key, versions.new_id, versions.base_id)
        if pair is not None:
            yield Change(
                scenario=scenario.name,
                metric=metric,
                variant_id=versions.new_id,
                before=known.cells[versions.base_id, scenario.name].metrics[metric],
                after=known.cells[versions.new_id, scenario.name].metrics[metric],
                ratio=pair.ratio,
                floor=known.floor(key),
            )


def _unpaired(
    runs: tuple[_Known, _Known], variant_id: str, scenario: Scenario, metrics: Sequence[str]
) -> Iterator[Change]:
    """The floor is the larger one of the two runs; unknown where either has none."""
    for metric in metrics:
        before, after = (run.cells[variant_id, scenario.name].metrics.get(metric) for run in runs)
        old, new = (list(run.samples.values(variant_id, scenario.name, metric).values()) for run in runs)
        ratio = unpaired_ratio(new, old)
        if before is None or after is None or ratio is None:
            continue
        floors = [run.floor((scenario.name, metric)) for run in runs]
        yield Change(
            scenario=scenario.name,
            metric=metric,
            variant_id=variant_id,
            before=before,
            after=after,
            ratio=ratio,
            floor=None if None in floors else max(floor for floor in floors if floor is not None),
        )


def _settled(
    names: tuple[str, str],
    found: Sequence[Change],
    problems: Sequence[str],
    thresholds: Sequence[Threshold],
    matrix: Matrix,
    *,
    margin: float,
    paired: bool,
) -> VersionComparison:
    """Each change against its threshold, Holm over all of them."""
    base, new = names
    limits = [_threshold(one, thresholds, margin, matrix) for one in found]
    tests = [
        None if limit is None else p_value_within(one.ratio, limit.limit)
        for one, limit in zip(found, limits, strict=True)
    ]
    adjusted = iter(holm([p for p in tests if p is not None]))
    changes = []
    for one, threshold, p in zip(found, limits, tests, strict=True):
        if threshold is None:
            changes.append(one)
            continue
        p_holm = None if p is None else next(adjusted)
        outcome = outcome_of(one.ratio, threshold.limit, p_holm=p_holm, floor=one.floor)
        changes.append(replace(one, threshold=threshold, outcome=outcome))
    outcomes = [one.outcome for one in changes if one.outcome is not None]
    if problems:
        # What was not measured is no pass.
        outcomes.append(Outcome.INCONCLUSIVE)
    outcome = of_all(tuple(outcomes))
    return VersionComparison(
        base=base,
        new=new,
        paired=paired,
        changes=tuple(changes),
        problems=tuple(problems),
        warnings=() if paired else (ONE_AFTER_THE_OTHER,),
        outcome=outcome,
        sentence=sentence_of(outcome, base, new, changes, problems, paired=paired),
    )


def _threshold(
    one: Change, thresholds: Sequence[Threshold], margin: float, matrix: Matrix
) -> Threshold | None:
    """The last one that names the metric; without any the margin holds for what ranks, and for memory."""
    named = [t for t in thresholds if t.metric == one.metric and t.scenario in (None, one.scenario)]
    if thresholds:
        return named[-1] if named else None
    scenario = next(scenario for scenario in matrix.scenarios if scenario.name == one.scenario)
    usual = (ranking_metric(scenario), WORKING_SET)
    return usual_threshold(METRICS[one.metric], margin, one.scenario) if one.metric in usual else None
