"""A made-up run with everything a report may have to show: five variants, two scenarios, trouble included."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from harness.deployment import ResourceReading
from harness.findings import (
    Bottleneck,
    CellSummary,
    Comparison,
    Limit,
    RunAnalysis,
    ScenarioFinding,
    Summary,
    Verdict,
)
from harness.model import ClosedLoad, Matrix, OpenLoad, Scenario, TrialMetrics, TrialRecord, Validity, Variant
from harness.reporting import html
from harness.reporting.data import ReportData, ResourceSeries, RuleRow
from harness.reporting.figures import all_figures
from harness.reporting.figures.tail import tail_curve

BLOCKS = 6
PLAIN_1 = Variant(recipe="uvicorn-plain", workers=1, rules=("1", "host"))
STANDARD_1 = Variant(recipe="uvicorn-standard", workers=1, rules=("1", "affinity"))
STANDARD_2 = Variant(recipe="uvicorn-standard", workers=2, rules=("2 * affinity",))
GUNICORN_5 = Variant(recipe="gunicorn-uvicorn", workers=5, memory_mib=512, rules=("2 * host + 1",))
TWIN = replace(PLAIN_1, twin=True)
VARIANTS = (PLAIN_1, STANDARD_1, STANDARD_2, GUNICORN_5)

ITEMS = Scenario(
    name="items", locustfile="items", load=ClosedLoad(clients=16), warmup_s=1, measure_s=10, slo_ms=50
)
IO_WAIT = Scenario(
    name="io-wait", locustfile="io_bound", load=OpenLoad(rate_per_s=300), warmup_s=1, measure_s=10, slo_ms=40
)

# Per variant: requests/s, p95 ms, peak MiB, CPU ms/request; and the spread of each over trials.
_ITEMS = {
    PLAIN_1.id: (3120.0, 7.9, 61.0, 0.318),
    TWIN.id: (3096.0, 8.0, 61.2, 0.320),
    STANDARD_1.id: (4790.0, 4.4, 64.5, 0.207),
    STANDARD_2.id: (4705.0, 6.1, 112.0, 0.211),
    GUNICORN_5.id: (4310.0, 9.8, 271.0, 0.229),
}
_IO_WAIT = {
    PLAIN_1.id: (299.6, 13.9, 62.4, 0.61),
    TWIN.id: (299.8, 13.8, 62.1, 0.61),
    STANDARD_1.id: (300.1, 12.3, 66.0, 0.44),
    STANDARD_2.id: (299.9, 12.5, 115.0, 0.45),
    GUNICORN_5.id: (299.7, 13.1, 274.0, 0.47),
}
_SPREAD = 0.04

INVALID_TRIAL = f"{STANDARD_2.id}.items.03"
GENERATOR_BOUND = STANDARD_1.id


def report_data() -> ReportData:
    matrix = Matrix(
        name="plain-vs-standard",
        description="Does uvicorn[standard] pay, and do more workers help on one core?",
        variants=VARIANTS,
        scenarios=(ITEMS, IO_WAIT),
        baseline_id=PLAIN_1.id,
        blocks=BLOCKS,
        seed=7,
        margin=0.03,
        budget_s=900,
        ready_timeout_s=20,
        server_cpus=(1,),
        generator_cpus=(0,),
    )
    records = tuple(
        _record(variant_id, scenario, block, values)
        for scenario, table in ((ITEMS, _ITEMS), (IO_WAIT, _IO_WAIT))
        for block in range(BLOCKS)
        for variant_id, values in table.items()
    )
    return ReportData(
        run_id="20260301-101500-plain-vs-standard",
        matrix=matrix,
        analysis=_analysis(records),
        records=records,
        provenance={
            "engine": "docker",
            "started_at": "2026-03-01T10:15:00Z",
            "command": "harness run --matrix matrices/plain-vs-standard.toml --seed 7",
            "engine_version": "20.10.24",
            "kernel": "6.1.0-18-amd64",
            "cpu_model": "AMD EPYC 7B13, 2 cores, no frequency governor visible",
            "cgroup": "v2",
            "image uvicorn-plain": "sha256:1f7b9c0f0e6a",
            "image uvicorn-standard": "sha256:77d0a2c9b7e4",
        },
        tails={
            f"{variant_id}.{scenario.name}": tail_curve(_latencies(index, values, scenario))
            for scenario, table in ((ITEMS, _ITEMS), (IO_WAIT, _IO_WAIT))
            for index, (variant_id, values) in enumerate(table.items())
        },
        series={record.trial_id: _series(index, record) for index, record in enumerate(records)},
        rules=_rules(),
    )


def html_page(data: ReportData) -> str:
    return html.report(data, all_figures(data))


@cache
def clean_page() -> str:
    """The page of `report_data` as it stands."""
    return html_page(report_data())


def html_words(data: ReportData) -> str:
    """The page with blank figures, for tests of what it says: drawing is nearly all of its cost."""
    return html.report(data, defaultdict(Figure))


def with_reasons(data: ReportData, *reasons: str) -> ReportData:
    """The same run, its invalid trial giving other reasons."""
    records = tuple(replace(r, reasons=reasons) if r.trial_id == INVALID_TRIAL else r for r in data.records)
    invalid = tuple(r for r in records if r.validity is not Validity.VALID)
    return replace(data, records=records, analysis=replace(data.analysis, invalid=invalid))


def with_recipe(data: ReportData, variant: Variant, recipe: str) -> ReportData:
    """The same run, one of its variants being of another recipe."""
    other = replace(variant, recipe=recipe)

    def renamed(items: Iterable[Any]) -> tuple[Any, ...]:
        return tuple(replace(i, variant_id=other.id) if i.variant_id == variant.id else i for i in items)

    findings = tuple(
        replace(finding, cells=renamed(finding.cells), comparisons=renamed(finding.comparisons))
        for finding in data.analysis.findings
    )
    variants = tuple(other if one == variant else one for one in data.matrix.variants)
    return replace(
        data,
        matrix=replace(data.matrix, variants=variants),
        analysis=replace(data.analysis, findings=findings),
        records=renamed(data.records),
        rules=renamed(data.rules),
    )


def many_variants() -> ReportData:
    """Twelve variants with close results: what labels and colours have to survive."""
    data = report_data()
    recipes = ("uvicorn-plain", "uvicorn-standard", "gunicorn-uvicorn", "gunicorn-asgi")
    variants = tuple(Variant(recipe=recipe, workers=workers) for recipe in recipes for workers in (1, 2, 5))
    table = {
        variant.id: (
            2900.0 + 310 * (place % 7),
            5.0 + 0.7 * (place % 5),
            58.0 * variant.workers + 3 * place,
            0.3 - 0.01 * place,
        )
        for place, variant in enumerate(variants)
    }
    table[TWIN.id] = table[PLAIN_1.id]
    records = tuple(
        replace(_record(variant_id, ITEMS, block, values), validity=Validity.VALID, reasons=())
        for block in range(BLOCKS)
        for variant_id, values in table.items()
    )
    cells = tuple(_cell(variant_id, ITEMS, records, Validity.VALID) for variant_id in table)
    finding = replace(data.analysis.findings[0], cells=cells, comparisons=(), warnings=())
    return replace(
        data,
        matrix=replace(data.matrix, variants=variants, scenarios=(ITEMS,)),
        records=records,
        analysis=replace(data.analysis, findings=(finding,), invalid=()),
        tails={
            f"{variant_id}.items": tail_curve(_latencies(index, values, ITEMS))
            for index, (variant_id, values) in enumerate(table.items())
        },
        series={record.trial_id: _series(index, record) for index, record in enumerate(records)},
        rules=(),
    )


def _wobble(index: int) -> float:
    """A fixed, uneven pattern around 1, eight per cent wide."""
    return 1 + _SPREAD * math.sin(2.4 * index + 0.7)


def _record(
    variant_id: str, scenario: Scenario, block: int, values: tuple[float, float, float, float]
) -> TrialRecord:
    throughput, p95, memory, cpu = values
    wobble = _wobble(block * 5 + len(variant_id))
    trial_id = f"{variant_id}.{scenario.name}.{block:02d}"
    validity, reasons = _outcome(trial_id, variant_id, scenario)
    rate = throughput * (wobble if scenario is ITEMS else 1)
    metrics = TrialMetrics(
        duration_s=scenario.measure_s,
        requests=round(rate * scenario.measure_s),
        errors=0,
        throughput_per_s=rate,
        latency_p50_s=p95 / 2e3 / wobble,
        latency_p90_s=p95 / 1.2e3 / wobble,
        latency_p95_s=p95 / 1e3 / wobble,
        latency_p99_s=p95 / 0.6e3 / wobble,
        latency_max_s=p95 / 0.2e3,
        slow_share=0.0,
        cpu_cores=rate * cpu / 1e3,
        cpu_ms_per_request=cpu / wobble,
        throttled_share=0.0,
        working_set_peak_bytes=round(memory * wobble * 2**20),
        working_set_mean_bytes=round(memory * 0.97 * 2**20),
        pss_before_bytes=None,
        pss_after_bytes=None,
        uss_after_bytes=None,
        generator_cpu_share=0.55,
        send_lateness_p99_s=None if scenario is ITEMS else 0.0011,
        steal_share=0.001,
    )
    return TrialRecord(
        trial_id=trial_id,
        variant_id=variant_id,
        scenario=scenario.name,
        block=block,
        validity=validity,
        reasons=reasons,
        metrics=None if validity is Validity.INVALID else metrics,
        facts=None,
        phases_s={"start": 0.4, "load": 11.0},
        started_at=f"2026-03-01T10:{15 + block:02d}:00Z",
    )


def _outcome(trial_id: str, variant_id: str, scenario: Scenario) -> tuple[Validity, tuple[str, ...]]:
    if trial_id == INVALID_TRIAL:
        return Validity.INVALID, ("I7: worker 23 was killed (signal 9) 4.2 s into the window",)
    if variant_id == GENERATOR_BOUND and scenario is ITEMS:
        return Validity.GENERATOR_BOUND, ("I4: the generator used 97 % of its core (limit 90 %)",)
    return Validity.VALID, ()


def _summary(values: list[float], warnings: tuple[str, ...] = ()) -> Summary:
    logs = np.log(values)
    half = 2.57 * logs.std(ddof=1) / math.sqrt(len(logs))
    bounds = (logs.mean() - half, logs.mean(), logs.mean() + half)
    lo, center, hi = (float(np.exp(bound)) for bound in bounds)
    return Summary(center=center, lo=lo, hi=hi, n=len(values), warnings=warnings)


def _cell(
    variant_id: str, scenario: Scenario, records: tuple[TrialRecord, ...], word: Validity
) -> CellSummary:
    mine = [r for r in records if (r.variant_id, r.scenario) == (variant_id, scenario.name)]
    measured = [r.metrics for r in mine if r.metrics is not None]
    names = ("throughput_per_s", "latency_p95_s", "working_set_peak_bytes", "cpu_ms_per_request")
    return CellSummary(
        variant_id=variant_id,
        scenario=scenario.name,
        metrics={name: _summary([getattr(metrics, name) for metrics in measured]) for name in names},
        valid=sum(r.validity is Validity.VALID for r in mine),
        trials=len(mine),
        word=word,
        limited_by=_limit(variant_id, scenario, word),
    )


def _limit(variant_id: str, scenario: Scenario, word: Validity) -> Limit:
    closed = isinstance(scenario.load, ClosedLoad)
    name = Bottleneck.SERVER_CPU if closed else Bottleneck.NONE
    signals = {"CPU": f"{0.99 if closed else 0.14:.2f} of 1 core", "throttled": "0.0 %"}
    if variant_id != STANDARD_1.id:
        signals["event loop"] = "3.1 ms late, 12 ms at most"
    return Limit(
        bottleneck=Bottleneck.GENERATOR if word is Validity.GENERATOR_BOUND else name, signals=signals
    )


def _comparison(
    scenario: Scenario, metric: str, variant_id: str, ratio: float, verdict: Verdict
) -> Comparison:
    half = 0.011
    return Comparison(
        scenario=scenario.name,
        metric=metric,
        variant_id=variant_id,
        baseline_id=PLAIN_1.id,
        ratio=Summary(center=ratio, lo=ratio * (1 - half), hi=ratio * (1 + half), n=BLOCKS),
        p_value=0.004,
        p_holm=0.012,
        verdict=verdict,
        margin=0.03,
    )


def _finding(
    scenario: Scenario,
    metric: str,
    records: tuple[TrialRecord, ...],
    verdicts: Mapping[str, tuple[float, Verdict]],
    best_set: tuple[str, ...],
    warnings: tuple[str, ...],
) -> ScenarioFinding:
    bound = {GENERATOR_BOUND} if scenario is ITEMS else set()
    ids = [*(variant.id for variant in VARIANTS), TWIN.id]
    words = dict.fromkeys(bound, Validity.GENERATOR_BOUND)
    memory = [
        _comparison(scenario, "working_set_peak_bytes", STANDARD_2.id, 1.84, Verdict.WORSE),
        _comparison(scenario, "working_set_peak_bytes", GUNICORN_5.id, 4.43, Verdict.WORSE),
    ]
    return ScenarioFinding(
        scenario=scenario.name,
        metric=metric,
        floor=0.021,
        margin=0.03,
        cells=tuple(_cell(one, scenario, records, words.get(one, Validity.VALID)) for one in ids),
        comparisons=(*(_comparison(scenario, metric, one, *said) for one, said in verdicts.items()), *memory),
        best_set=best_set,
        recommended=best_set[0],
        warnings=warnings,
    )


def _analysis(records: tuple[TrialRecord, ...]) -> RunAnalysis:
    better, even, undecided = Verdict.BETTER, Verdict.EQUIVALENT, Verdict.UNDECIDED
    items = _finding(
        ITEMS,
        "throughput_per_s",
        records,
        {
            STANDARD_2.id: (1.51, better),
            GUNICORN_5.id: (1.38, better),
            TWIN.id: (0.992, even),
        },
        (STANDARD_2.id,),
        (f"{STANDARD_1.id} is GENERATOR-BOUND: it can do at least what is shown, and was not ranked",),
    )
    io_wait = _finding(
        IO_WAIT,
        "latency_p95_s",
        records,
        {
            STANDARD_1.id: (0.886, better),
            STANDARD_2.id: (0.901, better),
            GUNICORN_5.id: (0.957, undecided),
            TWIN.id: (0.996, even),
        },
        (STANDARD_1.id, STANDARD_2.id),
        (),
    )
    return RunAnalysis(
        findings=(items, io_wait),
        recommended=STANDARD_2.id,
        headline="Deploy uvicorn-standard with 2 workers: 51 % more requests/s than uvicorn-plain with "
        "1 worker under items, 10 % lower p95 latency under io-wait.",
        invalid=tuple(record for record in records if record.validity is not Validity.VALID),
    )


def _latencies(index: int, values: tuple[float, float, float, float], scenario: Scenario) -> np.ndarray:
    """Log-normal around half the p95, with a share of requests behind a pause."""
    rng = np.random.default_rng(100 + index)
    count = round(values[0] * scenario.measure_s * BLOCKS / 4)
    body = rng.lognormal(math.log(values[1] / 2e3), 0.42, count)
    return body + np.where(rng.random(count) < 0.003, rng.exponential(0.02, count), 0.0)


def _series(index: int, record: TrialRecord) -> ResourceSeries:
    """One reading a second from one second before the window to one after."""
    table = _ITEMS if record.scenario == ITEMS.name else _IO_WAIT
    throughput, _, memory, cpu = table.get(record.variant_id, _ITEMS[PLAIN_1.id])
    start = 1000.0 + 20 * index
    seconds = np.arange(13)
    cores = throughput * cpu / 1e3 * (1 + 0.04 * np.sin(seconds + index))
    used = np.cumsum(cores)
    sizes = memory * (0.93 + 0.07 * (1 - np.exp(-seconds / 3))) * _wobble(index)
    readings = tuple(
        ResourceReading(
            at_s=start + float(second),
            cpu_s=float(used[second]),
            throttled_s=0.0,
            working_set_bytes=round(float(sizes[second]) * 2**20),
            oom_kills=0,
            steal_s=0.0,
        )
        for second in seconds
    )
    return ResourceSeries(readings=readings, window_start_s=start + 1, window_end_s=start + 11)


def _rules() -> tuple[RuleRow, ...]:
    def row(scenario: Scenario, rule: str, variant: Variant, regret: float | None) -> RuleRow:
        return RuleRow(
            scenario=scenario.name,
            rule=rule,
            workers=variant.workers,
            variant_id=variant.id,
            regret=regret,
            regret_lo=regret - 0.02 if regret else None,
            regret_hi=regret + 0.02 if regret else None,
            working_set_mib=(_ITEMS if scenario is ITEMS else _IO_WAIT)[variant.id][2],
            in_best_set=regret is not None and regret < 0.03,
        )

    return (
        row(ITEMS, "affinity", STANDARD_1, None),
        row(ITEMS, "2 * affinity", STANDARD_2, 0.0),
        row(ITEMS, "2 * host + 1", GUNICORN_5, 0.084),
        row(IO_WAIT, "affinity", STANDARD_1, 0.0),
        row(IO_WAIT, "2 * affinity", STANDARD_2, 0.017),
        row(IO_WAIT, "2 * host + 1", GUNICORN_5, 0.065),
    )
