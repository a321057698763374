"""Figures say what the data say: points, axes, sizes. Looks are judged by eye."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.text import Text

from harness.deployment import ResourceReading
from harness.findings import ScenarioFinding
from harness.model import Matrix
from harness.reporting.data import ReportData, ResourceSeries
from harness.reporting.figures import (
    PER_SCENARIO,
    drift,
    latency_tail,
    png,
    ranking,
    regret,
    resources,
    svg,
    tradeoff,
)
from harness.reporting.figures.over_time import cpu_line, memory_line
from harness.reporting.figures.style import looks, spread
from harness.reporting.figures.tail import tail_curve
from tests.reporting import samples

DATA = samples.report_data()
ITEMS, IO_WAIT = DATA.analysis.findings
Draw = Callable[[ReportData, ScenarioFinding], Figure]


@pytest.mark.parametrize("finding", [ITEMS, IO_WAIT])
def test_ranking_shows_every_cell_from_zero_best_on_top(finding: ScenarioFinding) -> None:
    (axes,) = ranking(DATA, finding).axes
    assert axes.get_xlim()[0] == 0
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert len(names) == len(finding.cells)
    assert names[0].startswith("★")
    assert names[-1] == "A/A twin of the baseline"
    cell = next(cell for cell in finding.cells if cell.variant_id == samples.STANDARD_2.id)
    summary = cell.metrics[finding.metric]
    scale = 1e3 if finding is IO_WAIT else 1
    drawn = [list(line.get_xdata()) for line in axes.lines]
    assert [summary.center * scale] in drawn
    assert [summary.lo * scale, summary.hi * scale] in drawn  # type: ignore[operator]


def test_ranking_says_that_a_generator_bound_number_is_a_lower_bound() -> None:
    (axes,) = ranking(DATA, ITEMS).axes
    assert any("≥" in text.get_text() and "GENERATOR-BOUND" in text.get_text() for text in axes.texts)


def test_tradeoff_has_one_point_a_cell_and_starts_at_zero() -> None:
    (axes,) = tradeoff(DATA, ITEMS).axes
    assert axes.get_xlim()[0] == axes.get_ylim()[0] == 0
    points = [line for line in axes.lines if len(line.get_xdata()) == 1]
    assert len(points) == len(ITEMS.cells)


@pytest.mark.parametrize("data", [DATA, samples.many_variants()])
def test_names_in_the_tradeoff_do_not_overlap(data: ReportData) -> None:
    figure = tradeoff(data, data.analysis.findings[0])
    figure.draw_without_rendering()
    # The extent of the words alone: an Annotation's own includes the line to its point.
    boxes = [Text.get_window_extent(name) for name in figure.axes[0].texts]
    overlaps = [(a, b) for n, a in enumerate(boxes) for b in boxes[:n] if a.overlaps(b)]
    assert len(boxes) == len(data.analysis.findings[0].cells)
    assert overlaps == []


def test_tail_shows_exact_order_statistics_on_a_log_tail() -> None:
    latencies = np.arange(1, 10_001) / 1e3  # 1 ms to 10 s, shuffled
    curve = tail_curve(np.random.default_rng(1).permutation(latencies))
    positions, milliseconds = curve.positions, curve.latencies_ms
    shares = 1 - 10**-positions
    assert np.all(np.isin(milliseconds, latencies * 1e3))
    assert np.all(np.abs(milliseconds - shares * 10_000) <= 1)
    assert positions[-1] == pytest.approx(-np.log10(5 / 10_000))
    assert len(positions) <= 90


@given(st.integers(11, 3000), st.integers(0, 2**32 - 1))
def test_tail_quantiles_are_those_of_numpy(count: int, seed: int) -> None:
    """Duplicates included: the clock has a resolution."""
    latencies_s = np.random.default_rng(seed).lognormal(-6, 1, count).round(4)
    curve = tail_curve(latencies_s)
    # A hair below: where q * count is whole in theory, rounding may lift it above in floating point.
    expected = np.quantile(latencies_s, 1 - 10.0**-curve.positions - 1e-12, method="inverted_cdf")
    assert curve.latencies_ms == pytest.approx(expected * 1e3, rel=1e-12)


def test_tail_labels_the_nines_and_draws_every_measured_cell() -> None:
    (axes,) = latency_tail(DATA, ITEMS).axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["50", "90", "95", "99", "99.9", "99.99"]
    assert axes.get_yscale() == "log"
    ids = [text.get_text() for text in axes.texts]
    assert sum(samples.STANDARD_1.id in text for text in ids) == 1


def test_tail_leaves_out_what_too_few_requests_support() -> None:
    few = tail_curve(np.full(8, 0.01))
    assert len(few.positions) == 0
    thin = replace(DATA, tails={f"{samples.PLAIN_1.id}.items": few})
    (axes,) = latency_tail(thin, ITEMS).axes
    assert "too few" in axes.texts[0].get_text()


def test_resources_are_relative_to_the_window_and_from_zero() -> None:
    figure = resources(DATA, ITEMS)
    panels = [axes for axes in figure.axes if axes.lines]
    assert len(panels) == 2 * len(ITEMS.cells)
    assert all(axes.get_ylim()[0] == 0 for axes in panels)
    trials = [len(axes.lines) for axes in panels]
    assert sorted(trials) == [5, 5, 6, 6, 6, 6, 6, 6, 6, 6], "the invalid trial is left out"


def test_merged_readings_keep_the_peak_and_the_cpu_total() -> None:
    series = next(iter(DATA.series.values()))
    at, memory = memory_line(series, limit=4)
    assert at[0] == -1.0
    assert memory.max() == max(reading.working_set_bytes for reading in series.readings) / 2**20
    middles, cores = cpu_line(series, limit=4)
    assert len(at) <= 4
    assert cores.mean() == pytest.approx(
        (series.readings[12].cpu_s - series.readings[0].cpu_s) / 12, rel=1e-9
    )
    assert np.all(np.diff(middles) > 0)


def test_drift_has_one_point_a_valid_trial() -> None:
    (axes,) = drift(DATA, ITEMS).axes
    assert sum(len(line.get_xdata()) for line in axes.lines) == 6 + 5 + 6 + 6
    assert axes.get_ylim()[0] == 0


def test_regret_has_one_panel_a_scenario() -> None:
    figure = regret(DATA)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["items", "io-wait"]
    assert any("not ranked" in text.get_text() for text in figure.axes[0].texts)


@pytest.mark.parametrize("draw", PER_SCENARIO.values(), ids=PER_SCENARIO)
def test_exports_are_small_accessible_and_repeatable(draw: Draw) -> None:
    first, again = draw(DATA, ITEMS), draw(DATA, ITEMS)
    text = svg(first)
    assert len(text) < 60_000
    assert text == svg(again)
    assert png(first) == png(again)
    assert text.startswith('<svg role="img" aria-label="')
    assert "<text" in text
    assert not re.search(r"<metadata|<dc:date|\bhref=\"(?!#)", text)


def test_svg_of_a_long_run_stays_small() -> None:
    series = next(iter(DATA.series.values()))
    long = tuple(
        replace(series.readings[0], at_s=float(second), cpu_s=second * 0.9, working_set_bytes=10**8)
        for second in range(3600)
    )
    stretched = replace(series, readings=long, window_start_s=0.0, window_end_s=3600.0)
    data = replace(DATA, series=dict.fromkeys(DATA.series, stretched))
    assert len(svg(resources(data, ITEMS))) < 120_000


@pytest.mark.parametrize("draw", PER_SCENARIO.values(), ids=PER_SCENARIO)
def test_twelve_variants_can_be_drawn(draw: Draw) -> None:
    data = samples.many_variants()
    figure = draw(data, data.analysis.findings[0])
    figure.draw_without_rendering()


@pytest.mark.parametrize("draw", PER_SCENARIO.values(), ids=PER_SCENARIO)
def test_a_scenario_without_numbers_says_so(draw: Draw) -> None:
    nothing = replace(ITEMS, cells=(), comparisons=(), best_set=())
    figure = draw(replace(DATA, records=(), tails={}, series={}), nothing)
    assert figure.axes[0].texts
    assert svg(figure)


def test_names_cannot_inject_into_the_svg() -> None:
    evil = "<script>alert(1)</script>$x$"
    scenario = replace(samples.ITEMS, name=evil)
    matrix: Matrix = replace(DATA.matrix, scenarios=(scenario,))
    for draw in PER_SCENARIO.values():
        assert "<script" not in svg(draw(replace(DATA, matrix=matrix), replace(ITEMS, scenario=evil)))


def test_every_variant_looks_different() -> None:
    chosen = looks(samples.many_variants())
    assert len({(look.colour, look.marker) for look in chosen.values()}) == len(chosen)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_spread_keeps_order_bounds_and_gaps(wanted: list[float]) -> None:
    placed = spread(wanted, gap=0.05, low=0.0, high=1.0)
    assert min(placed) >= -1e-9
    assert max(placed) <= 1 + 1e-9
    for (a, pa), (b, pb) in pairwise(sorted(zip(wanted, placed, strict=True))):
        assert a <= b
        assert pb - pa >= 0.05 - 1e-9


def test_the_cpu_of_a_trial_in_slices_is_that_of_its_slices_alone() -> None:
    """Half a core for 0.1 s each second, drained 20 ms later; in between others were at work."""
    readings = tuple(
        ResourceReading(
            at_s=second + after_s,
            cpu_s=0.05 * (second + (after_s > 0)),
            throttled_s=0.0,
            working_set_bytes=1,
            oom_kills=0,
            steal_s=0.0,
        )
        for second in range(6)
        for after_s in (0.0, 0.12)
    )
    series = ResourceSeries(
        readings=readings, window_start_s=0.0, window_end_s=6.0, slice_ends_s=np.arange(6) + 0.1
    )
    for limit in (100, 3):
        at_s, cores = cpu_line(series, limit)
        assert len(at_s) == len(cores) <= limit
        np.testing.assert_allclose(cores, 0.5)
