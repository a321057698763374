"""The tables and lines of one scenario in plain words. Terminal, Markdown and HTML only dress them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.analysis.metrics import CAPACITY, CAPACITY_PER_GIB, MEMORY_GROWTH, METRICS, THROUGHPUT
from harness.analysis.warnings import usable_cpus
from harness.analysis.wording import percent
from harness.findings import CellSummary, Comparison, ScenarioFinding, Verdict
from harness.model import Validity
from harness.reporting.cautions import caution_of
from harness.reporting.data import ReportData
from harness.reporting.evidence_lines import not_checked, worker_changes
from harness.reporting.wording import ABSENT, Estimate, estimate, number, plain, ratio

BASELINE, TWIN, NOT_COMPARED = "baseline", "A/A twin", "not compared"
NOT_MEASURED, CANNOT_SERVE = "not measured", "cannot serve this app"
_RULE = re.compile(r"(I\d+):")
"""How a reason begins that names a rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRow:
    """One variant under one scenario, as shown."""

    variant_id: str
    rate: Estimate
    """The capacity where that ranks, otherwise the throughput."""
    p95: Estimate
    memory: Estimate
    cpu: Estimate
    ratio: Estimate
    verdict: str
    """A verdict, "baseline", "A/A twin", or the word that stands on the numbers (NOISY, ...)."""
    broken: str
    """The rules behind that word, for example "I3, I4"; empty for a verdict."""
    limited_by: str
    best: bool
    recommended: str
    """"recommended", "recommended here" when there is no one variant for all scenarios, or nothing."""
    trials: str
    notes: tuple[str, ...]
    """What else to know: rules not checked, requests refused, workers replaced, memory growth."""
    caution: str
    """A word or two of warning about the recipe ("deprecated"), or nothing; `cautions.py` says it all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRow:
    """What limits one variant under one scenario, and the signals that tell."""

    variant_id: str
    limited_by: str
    signals: tuple[str, ...]
    """In the order of `limit_headings`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherRow:
    """A comparison with the baseline on a metric that does not rank."""

    variant_id: str
    metric: str
    ratio: Estimate
    p_holm: str
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityRow:
    """What one variant carries under the objective, and what that is of what it was given."""

    variant_id: str
    capacity: Estimate
    per_core: Estimate
    """Of the cores that it may use."""
    per_gib: Estimate
    """Of its peak working set."""


def verdict_rows(data: ReportData, finding: ScenarioFinding) -> tuple[VerdictRow, ...]:
    """Best first by the ranking metric; what cannot be ranked next, the twin last."""
    return tuple(_row(data, finding, cell) for cell in ordered_cells(data, finding))


def ordered_cells(data: ReportData, finding: ScenarioFinding) -> tuple[CellSummary, ...]:
    """The order of rows in tables and figures."""
    sign = -1.0 if METRICS[finding.metric].higher_is_better else 1.0

    def position(cell: CellSummary) -> tuple[bool, bool, float, str]:
        summary = cell.metrics.get(finding.metric)
        unranked = cell.word is not Validity.VALID or summary is None
        value = 0.0 if summary is None else sign * summary.center
        return cell.variant_id == data.twin.id, unranked, value, cell.variant_id

    return tuple(sorted(finding.cells, key=position))


def _row(data: ReportData, finding: ScenarioFinding, cell: CellSummary) -> VerdictRow:
    def shown(metric: str) -> Estimate:
        limited = METRICS[metric].rate and cell.word is Validity.GENERATOR_BOUND
        return estimate(cell.metrics.get(metric), METRICS[metric].scale, at_least=limited)

    comparison = find_comparison(finding, cell.variant_id)
    return VerdictRow(
        variant_id=cell.variant_id,
        rate=shown(CAPACITY if finding.metric == CAPACITY else THROUGHPUT),
        p95=shown("latency_p95_s"),
        memory=shown("working_set_peak_bytes"),
        cpu=shown("cpu_ms_per_request"),
        ratio=ratio(comparison.ratio if comparison else None),
        verdict=_verdict(data, cell, comparison),
        broken=_broken(data, cell),
        limited_by=_limited_by(cell),
        best=cell.variant_id in finding.best_set,
        recommended=_recommended(data, finding, cell.variant_id),
        trials=f"{cell.valid}/{cell.trials}{', stopped early' if cell.stopped_early else ''}",
        notes=tuple(plain(note) for note in _notes(data, cell)),
        caution=caution_of(data, cell.variant_id).partition(":")[0],
    )


def _notes(data: ReportData, cell: CellSummary) -> Iterator[str]:
    if unchecked := not_checked(data, cell.variant_id):
        yield unchecked
    if changes := worker_changes(data, cell.variant_id):
        yield changes
    refused = cell.metrics.get("refused")
    if refused is not None and refused.center > 0:
        yield f"refused (503): {number(refused.center)} requests a trial"
    errors = cell.metrics.get("errors")
    if changes and errors is not None and errors.center > 0:
        yield f"failed while workers were replaced: {number(errors.center)} requests a trial"
    growth = cell.metrics.get(MEMORY_GROWTH)
    if growth is not None and growth.lo is not None and growth.lo > 0:
        yield f"memory growth: {estimate(growth)} MiB per 1,000 requests"


def limit_headings(finding: ScenarioFinding) -> tuple[str, ...]:
    """The names of all signals that any cell has."""
    told = (cell.limited_by.signals for cell in finding.cells if cell.limited_by)
    return tuple(dict.fromkeys(name for signals in told for name in signals))


def limit_rows(data: ReportData, finding: ScenarioFinding) -> tuple[LimitRow, ...]:
    """In the order of the verdicts; what was not measured is left out."""
    headings = limit_headings(finding)
    return tuple(
        LimitRow(
            variant_id=cell.variant_id,
            limited_by=_limited_by(cell),
            signals=tuple(cell.limited_by.signals.get(name, ABSENT) for name in headings),
        )
        for cell in ordered_cells(data, finding)
        if cell.limited_by and cell.limited_by.signals
    )


def _limited_by(cell: CellSummary) -> str:
    return str(cell.limited_by.bottleneck) if cell.limited_by else ABSENT


def _broken(data: ReportData, cell: CellSummary) -> str:
    if cell.word is Validity.VALID:
        return ""
    reasons = (
        reason
        for record in data.outcomes
        if (record.variant_id, record.scenario) == (cell.variant_id, cell.scenario)
        and record.validity is cell.word
        for reason in record.reasons
    )
    return ", ".join(sorted({found[1] for reason in reasons if (found := _RULE.match(reason))}))


def rate_heading(finding: ScenarioFinding) -> str:
    return "capacity, requests/s" if finding.metric == CAPACITY else "requests/s"


def capacity_rows(data: ReportData, finding: ScenarioFinding) -> tuple[CapacityRow, ...]:
    """In the order of the verdict table; none where capacity does not rank."""
    variants = {variant.id: variant for variant in data.variants}
    if finding.metric != CAPACITY:
        return ()
    return tuple(
        _capacity_row(cell, usable_cpus(variants[cell.variant_id], data.matrix))
        for cell in ordered_cells(data, finding)
    )


def _capacity_row(cell: CellSummary, cores: float) -> CapacityRow:
    limited, capacity = cell.word is Validity.GENERATOR_BOUND, cell.metrics.get(CAPACITY)
    return CapacityRow(
        variant_id=cell.variant_id,
        capacity=estimate(capacity, at_least=limited),
        per_core=estimate(capacity, 1 / cores, at_least=limited),
        per_gib=estimate(cell.metrics.get(CAPACITY_PER_GIB), at_least=limited),
    )


def _recommended(data: ReportData, finding: ScenarioFinding, variant_id: str) -> str:
    if data.analysis.recommended is not None:
        return "recommended" if variant_id == data.analysis.recommended else ""
    return "recommended here" if variant_id == finding.recommended else ""


def _verdict(data: ReportData, cell: CellSummary, comparison: Comparison | None) -> str:
    if cell.trials == 0:
        return NOT_MEASURED
    if cell.cannot_serve:
        return CANNOT_SERVE
    if cell.word is not Validity.VALID:
        return str(cell.word)
    if cell.variant_id == data.matrix.baseline_id:
        return BASELINE
    if cell.variant_id == data.twin.id:
        return TWIN
    return str(comparison.verdict) if comparison else NOT_COMPARED


def find_comparison(
    finding: ScenarioFinding, variant_id: str, metric: str | None = None
) -> Comparison | None:
    """The comparison of a variant with the baseline on `metric` (default: the one that ranks)."""
    wanted = metric or finding.metric
    matches = (c for c in finding.comparisons if c.variant_id == variant_id and c.metric == wanted)
    return next(matches, None)


def other_rows(finding: ScenarioFinding) -> tuple[OtherRow, ...]:
    """Every comparison but those of the verdict table."""
    return tuple(
        OtherRow(
            variant_id=comparison.variant_id,
            metric=METRICS[comparison.metric].label,
            ratio=ratio(comparison.ratio),
            p_holm="" if comparison.p_holm is None else f"{comparison.p_holm:.3f}",
            verdict=str(comparison.verdict),
        )
        for comparison in finding.comparisons
        if comparison.metric != finding.metric
    )


def floor_line(data: ReportData, finding: ScenarioFinding) -> str:
    """What the A/A twin says about the smallest difference worth a claim."""
    if finding.floor is None:
        return (
            "A/A check: the twin gave no comparison, so the noise of this machine is "
            "unknown, and no difference is claimed."
        )
    twin = find_comparison(finding, data.twin.id)
    seen = f" (ratio {ratio(twin.ratio)})" if twin else ""
    line = (
        f"A/A check: the baseline and its twin may differ by up to {percent(finding.floor)}{seen}. "
        f"Better and worse mean by at least {percent(data.matrix.margin)}"
    )
    if finding.margin > data.matrix.margin:
        line += f", with a centre beyond {percent(finding.margin)}"
    line += "."
    if twin and twin.verdict in (Verdict.BETTER, Verdict.WORSE):
        line += f" The twin came out {twin.verdict}: the machine was not steady, doubt close calls."
    return line


def warnings(finding: ScenarioFinding) -> tuple[str, ...]:
    """Doubts that travel with the numbers, each said once with the variants it applies to."""
    doubts: dict[str, dict[str, None]] = {plain(warning): {} for warning in finding.warnings}
    for variant_id, summaries in _summaries(finding):
        for warning in summaries:
            doubts.setdefault(plain(warning), {})[variant_id] = None
    return tuple(f"{warning} ({', '.join(ids)})" if ids else warning for warning, ids in doubts.items())


def _summaries(finding: ScenarioFinding) -> Iterable[tuple[str, tuple[str, ...]]]:
    for cell in finding.cells:
        for summary in cell.metrics.values():
            yield cell.variant_id, summary.warnings
    for comparison in finding.comparisons:
        yield comparison.variant_id, comparison.ratio.warnings
