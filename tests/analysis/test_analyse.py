"""What a whole run comes to: words, floors, verdicts, best sets and warnings."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.analyse import analyse
from harness.analysis.best_set import simplest_first
from harness.analysis.intervals import p_value_beyond
from harness.analysis.samples import cell_word
from harness.errors import ConfigurationError
from harness.findings import Verdict
from harness.model import Validity
from tests.analysis.simulated import (
    AT_A_RATE,
    CPU,
    STANDARD_TWO,
    TWIN,
    TWO_WORKERS,
    failed,
    steady,
    throughput_records,
)
from tests.samples import ITEMS, PLAIN, STANDARD, a_matrix, a_record, some_metrics

VALID, BOUND, NOISY, INVALID = (
    Validity.VALID,
    Validity.GENERATOR_BOUND,
    Validity.NOISY,
    Validity.INVALID,
)
BASE = {PLAIN: steady(1000), TWIN: steady(1001)[::-1]}


def only_finding(records, matrix=None):
    return analyse(records, matrix or a_matrix()).findings[0]


def find(finding, variant, metric="throughput_per_s"):
    return next(c for c in finding.comparisons if (c.variant_id, c.metric) == (variant.id, metric))


@pytest.mark.parametrize("made_again", [False, True])
def test_one_wrong_answer_takes_a_variant_out_of_its_scenario_only(made_again):
    """However good its other trials are, and even where that attempt was made again."""
    fast = {**BASE, STANDARD: steady(3000)}
    records = [*throughput_records(fast), *throughput_records(fast, CPU)]
    place = next(i for i, r in enumerate(records) if (r.variant_id, r.scenario) == (STANDARD.id, "items"))
    liar = replace(records[place], validity=INVALID, wrong_bodies=1)
    records[place : place + (0 if made_again else 1)] = [liar]
    items, cpu = analyse(records, a_matrix(scenarios=(ITEMS, CPU))).findings
    assert (items.best, cpu.best) == (PLAIN.id, STANDARD.id)
    assert STANDARD.id not in items.best_set
    assert f"{STANDARD.id} answered wrongly on items (1 times)" in " ".join(items.warnings)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], INVALID),
        ([VALID], VALID),
        ([VALID, VALID, INVALID], VALID),
        ([VALID, INVALID, INVALID], INVALID),
        ([VALID, VALID, BOUND], VALID),
        ([VALID, BOUND], BOUND),
        ([VALID, BOUND, BOUND], BOUND),
        ([BOUND, INVALID], BOUND),
        ([BOUND, INVALID, INVALID], INVALID),
        ([NOISY, INVALID], NOISY),
        ([INVALID], INVALID),
    ],
)
def test_the_word_on_a_cell(words, expected):
    assert cell_word(words) is expected


@pytest.mark.parametrize(("center", "verdict"), [(1500, "better"), (700, "worse"), (1000.5, "equivalent")])
def test_verdict_on_throughput_against_the_baseline(center, verdict):
    finding = only_finding(throughput_records({**BASE, STANDARD: steady(center)}))
    comparison = find(finding, STANDARD)
    assert comparison.verdict == verdict
    assert comparison.ratio.center == pytest.approx(center / 1000, rel=1e-3)
    assert comparison.margin == finding.margin >= 0.03


def test_lower_latency_ranks_first_under_open_load():
    matrix = a_matrix(scenarios=(AT_A_RATE,))
    records = [
        a_record(variant, AT_A_RATE, block, metrics=some_metrics(latency_p95_s=value))
        for variant, center in ((PLAIN, 0.010), (TWIN, 0.010), (STANDARD, 0.005))
        for block, value in enumerate(steady(center))
    ]
    finding = only_finding(records, matrix)
    assert (finding.metric, finding.best_set) == ("latency_p95_s", (STANDARD.id,))
    assert find(finding, STANDARD, "latency_p95_s").verdict is Verdict.BETTER
    assert {c.metric for c in finding.comparisons}.isdisjoint({"throughput_per_s"})


def test_memory_and_cpu_are_compared_too():
    records = throughput_records(BASE) + throughput_records(
        {STANDARD: steady(1000)}, working_set_peak_bytes=90 * 2**20, cpu_ms_per_request=0.5
    )
    finding = only_finding(records)
    assert find(finding, STANDARD, "working_set_peak_bytes").verdict is Verdict.WORSE
    assert find(finding, STANDARD, "cpu_ms_per_request").verdict is Verdict.BETTER


@pytest.mark.parametrize(("requests", "compared"), [(1999, False), (2000, True)])
def test_p99_needs_ten_thousand_requests_in_the_cell(requests, compared):
    records = throughput_records({**BASE, STANDARD: steady(1000)}, requests=requests)
    finding = only_finding(records)
    assert any(c.metric == "latency_p99_s" for c in finding.comparisons) is compared
    assert all(("latency_p99_s" in cell.metrics) is compared for cell in finding.cells)


def test_the_floor_is_the_far_end_of_the_twins_interval():
    finding = only_finding(throughput_records({**BASE, STANDARD: steady(1500)}))
    twin = find(finding, TWIN).ratio
    assert finding.floor == pytest.approx(max(twin.hi, 1 / twin.lo) - 1)
    assert finding.margin == max(0.03, finding.floor)


def test_a_noisy_twin_widens_the_margin_and_is_named():
    records = throughput_records(
        {
            PLAIN: steady(1000),
            TWIN: [1000, 1250, 800, 1150, 900],
            STANDARD: steady(1150),
        }
    )
    finding = only_finding(records)
    assert finding.margin == finding.floor > 0.2
    assert find(finding, STANDARD).verdict is Verdict.UNDECIDED
    assert any("smallest detectable difference on items" in warning for warning in finding.warnings)


def test_a_twin_that_differs_fails_the_check_and_is_named():
    finding = only_finding(throughput_records({PLAIN: steady(1000), TWIN: steady(1100)}))
    assert find(finding, TWIN).verdict is Verdict.BETTER
    assert any(warning.startswith("A/A check failed") for warning in finding.warnings)


def test_holm_family_spans_the_scenarios_and_leaves_the_twin_out():
    matrix = a_matrix(variants=(PLAIN, STANDARD, TWO_WORKERS), scenarios=(ITEMS, CPU))
    records = [
        record
        for scenario in (ITEMS, CPU)
        for record in throughput_records(
            {**BASE, STANDARD: [1100, 1180, 1020, 1090, 1130], TWO_WORKERS: [1050, 900, 1000, 1100, 950]},
            scenario,
        )
    ]
    analysis = analyse(records, matrix)
    pairs = [find(f, v) for f in analysis.findings for v in (STANDARD, TWO_WORKERS)]
    beyond = min(p_value_beyond(pair.ratio, matrix.margin) for pair in pairs)
    assert min(pair.p_holm for pair in pairs) == pytest.approx(4 * beyond)
    assert all(find(f, TWIN).p_holm is None for f in analysis.findings)


def test_a_block_with_an_invalid_side_makes_no_pair():
    records = throughput_records({**BASE, STANDARD: steady(1500)})
    records.append(failed(PLAIN, 2))
    finding = only_finding(records)
    assert find(finding, STANDARD).ratio.n == 4
    assert finding.cells[0].valid == 4
    assert any("4 of 5 trials VALID" in warning for warning in finding.warnings)


def test_the_last_attempt_wins():
    records = [failed(STANDARD, 0), *throughput_records({**BASE, STANDARD: steady(1500)})]
    analysis = analyse(records, a_matrix())
    assert find(analysis.findings[0], STANDARD).ratio.n == 5
    assert analysis.invalid == ()


def test_best_set_holds_what_cannot_be_told_apart_simplest_first():
    matrix = a_matrix(variants=(STANDARD_TWO, STANDARD, TWO_WORKERS, PLAIN))
    records = throughput_records(
        {**BASE, STANDARD: steady(1500), STANDARD_TWO: steady(1510)[::-1], TWO_WORKERS: steady(900)}
    )
    finding = only_finding(records, matrix)
    assert finding.best == STANDARD_TWO.id
    assert finding.best_set == (STANDARD.id, STANDARD_TWO.id)
    assert finding.recommended == STANDARD.id
    assert {c.variant_id for c in finding.against_best} == {STANDARD.id, TWO_WORKERS.id, PLAIN.id}


def test_the_caller_says_what_simple_means():
    records = throughput_records({**BASE, STANDARD: steady(1000)})
    prefer_standard = simplest_first(("uvicorn-standard", "uvicorn-plain"))
    finding = analyse(records, a_matrix(), simplicity=prefer_standard).findings[0]
    assert finding.best_set == (STANDARD.id, PLAIN.id)


def test_the_twin_is_never_in_the_best_set():
    finding = only_finding(
        throughput_records({PLAIN: steady(1000), TWIN: steady(1200), STANDARD: steady(500)})
    )
    assert finding.best_set == (PLAIN.id,)


def test_the_recommended_is_good_in_every_scenario():
    matrix = a_matrix(scenarios=(ITEMS, CPU))
    alike = throughput_records({**BASE, STANDARD: steady(1000)}, CPU)
    analysis = analyse(throughput_records({**BASE, STANDARD: steady(1500)}) + alike, matrix)
    assert analysis.findings[1].recommended == PLAIN.id
    assert analysis.recommended == STANDARD.id


def test_no_recommendation_where_the_scenarios_disagree():
    matrix = a_matrix(scenarios=(ITEMS, CPU))
    slower = throughput_records({**BASE, STANDARD: steady(500)}, CPU)
    assert analyse(throughput_records({**BASE, STANDARD: steady(1500)}) + slower, matrix).recommended is None


def test_single_block_decides_nothing():
    finding = only_finding(throughput_records({PLAIN: [1000], TWIN: [1000], STANDARD: [2000]}))
    assert (finding.floor, finding.recommended) == (None, None)
    assert finding.best_set == (PLAIN.id, STANDARD.id)
    assert {c.verdict for c in finding.comparisons} == {Verdict.UNDECIDED}
    assert finding.cells[1].metrics["throughput_per_s"].lo is None
    assert any("no A/A floor" in warning for warning in finding.warnings)


def test_a_cell_without_any_trial_is_listed_and_not_ranked():
    finding = only_finding(throughput_records(BASE))
    cell = next(cell for cell in finding.cells if cell.variant_id == STANDARD.id)
    assert (cell.trials, cell.valid, cell.word, cell.metrics) == (0, 0, INVALID, {})
    assert finding.best_set == (PLAIN.id,)
    assert f"{STANDARD.id}: no trial on items" in finding.warnings


def test_all_invalid_ranks_nothing():
    records = [
        failed(variant, block, metrics=None) for variant in (PLAIN, TWIN, STANDARD) for block in (0, 1)
    ]
    analysis = analyse(records, a_matrix())
    finding = analysis.findings[0]
    assert (finding.best, finding.best_set, finding.comparisons) == (None, (), ())
    assert len(analysis.invalid) == 6
    assert analysis.recommended is None


def test_no_records_at_all():
    assert analyse([], a_matrix()).findings[0].best_set == ()


def test_wrong_answers_show_no_figures_and_never_win():
    fast = some_metrics(throughput_per_s=9000.0)
    records = throughput_records(BASE) + [failed(STANDARD, block, metrics=fast) for block in range(5)]
    finding = only_finding(records)
    assert finding.best_set == (PLAIN.id,)
    assert finding.cells[1].metrics == {}


def bound_at(rate):
    figures = some_metrics(throughput_per_s=rate)
    return [failed(STANDARD, block, BOUND, metrics=figures) for block in range(5)]


def test_a_slower_one_is_not_called_best_when_the_generator_held_the_fastest_back():
    finding = only_finding(throughput_records(BASE) + bound_at(4000.0))
    assert (finding.best, finding.best_set, finding.recommended) == (PLAIN.id, (), None)
    assert finding.cells[1].metrics["throughput_per_s"].warnings == ("GENERATOR-BOUND: not ranked",)
    assert any("at least 4,000 requests/s" in warning for warning in finding.warnings)


def test_a_limit_below_the_best_is_only_a_warning():
    finding = only_finding(throughput_records(BASE) + bound_at(900.0))
    assert finding.recommended == PLAIN.id
    assert any("may be better than every ranked" in warning for warning in finding.warnings)


def test_generator_bound_trials_make_no_pairs():
    records = throughput_records({**BASE, STANDARD: steady(1500)})
    records.append(failed(STANDARD, 4, BOUND))
    finding = only_finding(records)
    assert find(finding, STANDARD).ratio.n == 4


def test_what_is_not_shown_equal_is_said_to_be_uncertain():
    records = throughput_records({**BASE, STANDARD: [1100, 1300, 950, 1200, 1000]})
    finding = only_finding(records)
    assert find(finding, STANDARD).verdict is Verdict.UNDECIDED
    assert finding.recommended == PLAIN.id
    assert any("it may be up to" in warning for warning in finding.warnings)


def test_more_workers_than_cpus_is_named():
    analysis = analyse([], a_matrix(variants=(PLAIN, TWO_WORKERS)))
    assert "nothing about scaling" in analysis.warnings[0]
    assert TWO_WORKERS.id in analysis.warnings[0]
    assert analyse([], a_matrix(variants=(PLAIN, TWO_WORKERS), server_cpus=(1, 2))).warnings == ()


def test_zero_errors_are_a_figure():
    cell = only_finding(throughput_records(BASE)).cells[0]
    assert (cell.metrics["errors"].center, cell.metrics["errors"].warnings) == (0.0, ())


def test_records_of_another_matrix_are_refused_by_name():
    stranger = replace(STANDARD, workers=9)
    records = [a_record(stranger, ITEMS, 0), a_record(stranger, ITEMS, 1), a_record(PLAIN, CPU, 0)]
    with pytest.raises(ConfigurationError) as caught:
        analyse(records, a_matrix())
    assert len(caught.value.problems) == 2
    assert "uvicorn-standard.w9" in str(caught.value)
    assert "'cpu'" in str(caught.value)
    assert "stored with the run" in str(caught.value)


def test_a_valid_record_without_metrics_is_refused():
    with pytest.raises(ConfigurationError, match="VALID but holds no metrics"):
        analyse([a_record(metrics=None)], a_matrix())


FIGURES = st.lists(
    st.tuples(st.floats(500, 2000), st.floats(500, 2000), st.floats(500, 2000)), min_size=3, max_size=6
)


def columns(figures):
    return {v: [row[i] for row in figures] for i, v in enumerate((PLAIN, TWIN, STANDARD))}


@settings(max_examples=50, deadline=None)
@given(FIGURES, st.randoms())
def test_the_order_of_the_journal_does_not_matter(figures, shuffler: random.Random):
    records = throughput_records(columns(figures))
    shuffled = shuffler.sample(records, len(records))
    assert analyse(shuffled, a_matrix()) == analyse(records, a_matrix())


@settings(max_examples=50, deadline=None)
@given(FIGURES)
def test_swapping_the_baseline_mirrors_the_ratio(figures):
    """The same figures under swapped names; the twin belongs to the baseline, so it is left out."""
    values = columns(figures)
    there = only_finding(throughput_records({PLAIN: values[PLAIN], STANDARD: values[STANDARD]}))
    back = only_finding(
        throughput_records({PLAIN: values[PLAIN], STANDARD: values[STANDARD]}),
        a_matrix(baseline_id=STANDARD.id),
    )
    ratio, inverse = find(there, STANDARD).ratio, find(back, PLAIN).ratio
    assert inverse.center == pytest.approx(1 / ratio.center)
    assert (inverse.lo, inverse.hi) == pytest.approx((1 / ratio.hi, 1 / ratio.lo))


@settings(max_examples=50, deadline=None)
@given(FIGURES, st.floats(0.1, 10.0))
def test_a_machine_c_times_as_fast_gives_the_same_ratios(figures, factor):
    values = columns(figures)
    slow = only_finding(throughput_records(values))
    fast = only_finding(throughput_records({v: [x * factor for x in xs] for v, xs in values.items()}))
    assert find(fast, STANDARD).ratio.center == pytest.approx(find(slow, STANDARD).ratio.center)
    assert fast.floor == pytest.approx(slow.floor)


def test_names_do_not_matter():
    """Every verdict follows the figures when two variants swap their names."""
    figures = {**BASE, STANDARD: steady(1500), TWO_WORKERS: steady(700)}
    swapped = {**BASE, TWO_WORKERS: steady(1500), STANDARD: steady(700)}
    matrix = a_matrix(variants=(PLAIN, STANDARD, TWO_WORKERS))
    one, other = (only_finding(throughput_records(f), matrix) for f in (figures, swapped))
    assert find(one, STANDARD).verdict is find(other, TWO_WORKERS).verdict is Verdict.BETTER
    assert find(one, TWO_WORKERS).verdict is find(other, STANDARD).verdict is Verdict.WORSE
    assert (one.best_set, other.best_set) == ((STANDARD.id,), (TWO_WORKERS.id,))


def test_a_variant_that_cannot_serve_the_app_is_called_that_and_never_ranked():
    records = [
        replace(r, cannot_serve=True) if r.variant_id == STANDARD.id and r.block == 1 else r
        for r in throughput_records({**BASE, STANDARD: steady(5000)})
    ]
    finding = only_finding(records)
    cell = next(cell for cell in finding.cells if cell.variant_id == STANDARD.id)
    assert (cell.word, cell.cannot_serve) == (INVALID, True)
    assert finding.recommended == PLAIN.id
    assert any(w.startswith(f"{STANDARD.id} cannot serve this app") for w in finding.warnings)
    assert not any("cannot serve" in w for w in only_finding(throughput_records(BASE)).warnings)


def test_one_oom_kill_makes_a_variant_infeasible_however_well_it_did_otherwise():
    records = throughput_records({**BASE, STANDARD: steady(2000)})
    killed = [
        replace(r, oom_killed=True) if r.variant_id == STANDARD.id and r.block == 1 else r for r in records
    ]
    finding = only_finding(killed)
    assert STANDARD.id not in finding.best_set
    assert next(c for c in finding.cells if c.variant_id == STANDARD.id).word is INVALID


def test_a_closed_loop_that_leaves_the_server_idle_is_named():
    busy = throughput_records(BASE, cpu_cores=0.95)
    waiting = throughput_records({STANDARD: steady(1500)}, cpu_cores=0.40)
    (doubt,) = [w for w in only_finding([*busy, *waiting]).warnings if "not saturated" in w]
    assert f"{STANDARD.id} 40 %" in doubt
    assert PLAIN.id not in doubt


@pytest.mark.parametrize(("generator", "doubted"), [(0.5, False), (0.1, True)])
def test_a_server_that_takes_all_that_the_generator_leaves_it_is_saturated(generator, doubted):
    matrix = a_matrix(server_cpus=(0,), generator_cpus=(0,))
    records = throughput_records(BASE, cpu_cores=0.45, generator_cpu_share=generator)
    assert any("not saturated" in w for w in only_finding(records, matrix).warnings) is doubted


def test_a_variant_without_a_common_block_with_the_best_is_not_called_one_of_the_best():
    best = throughput_records({STANDARD: steady(1500)})
    slower = [replace(r, block=r.block + 100) for r in throughput_records({STANDARD_TWO: steady(1499)})]
    matrix = a_matrix(variants=(PLAIN, STANDARD, STANDARD_TWO))
    finding = only_finding([*throughput_records(BASE), *best, *slower], matrix)
    assert finding.best == STANDARD.id
    assert STANDARD_TWO.id not in finding.best_set


@pytest.mark.parametrize(("idle_cores", "warned"), [(None, False), (0.005, False), (0.02, True)])
def test_what_idle_servers_take_from_the_others_is_said_from_three_per_cent_on(idle_cores, warned):
    records = [
        replace(record, metrics=replace(record.metrics, idle_cpu_cores=idle_cores))
        for record in throughput_records({**BASE, STANDARD: steady(1500)})
    ]
    said = [w for w in only_finding(records).warnings if "without any load" in w]
    assert len(said) == warned
    # Three of them, on one core.
    assert not said or "the others used 6 % of the server's CPU" in said[0]


@pytest.mark.parametrize(("tail", "told"), [(0.012, True), (0.006, False)])
def test_equal_medians_with_another_tail_are_named(tail: float, told: bool) -> None:
    records = throughput_records({PLAIN: steady(1000), TWIN: steady(1001)}, latency_p50_s=0.003)
    records += throughput_records({STANDARD: steady(1000)}, latency_p50_s=0.003, latency_p95_s=tail)
    (finding,) = analyse(records, a_matrix()).findings
    expected = "uvicorn-standard.w1 has the median latency of uvicorn-plain.w1 on items, and 2.00x its p95"
    assert any(warning.startswith(expected) for warning in finding.warnings) is told
