"""The formulas against simulation, against scipy, and against the figures that METHOD states."""

from math import exp, factorial

import numpy as np
import pytest
from scipy import stats

from studies.selfcheck import theory


@pytest.mark.parametrize(
    ("load", "q", "services"), [(0.5, 0.95, 3.05), (0.5, 0.99, 4.34), (0.7, 0.95, 5.10), (0.7, 0.99, 7.49)]
)
def test_md1_quantiles_are_those_of_the_method(load, q, services):
    assert theory.md1_latency_quantile(q, load=load) == pytest.approx(services, abs=0.006)


@pytest.mark.parametrize("load", [0.3, 0.5, 0.7, 0.8])
def test_md1_agrees_with_a_long_simulation(load):
    latencies = simulated(load, np.ones(200_000))
    for q in (0.5, 0.95, 0.99):
        assert theory.md1_latency_quantile(q, load=load) == pytest.approx(np.quantile(latencies, q), rel=0.05)


@pytest.mark.parametrize("load", [0.3, 0.5, 0.7])
def test_mm1_agrees_with_scipy_and_a_long_simulation(load):
    latencies = simulated(load, np.random.default_rng(8).exponential(1.0, 200_000))
    for q in (0.5, 0.95, 0.99):
        exact = theory.mm1_latency_quantile(q, load=load)
        assert exact == pytest.approx(stats.expon(scale=1 / (1 - load)).ppf(q))
        assert exact == pytest.approx(np.quantile(latencies, q), rel=0.08)


def test_the_md1_wait_is_a_distribution():
    waits = np.linspace(0, 25, 400)
    shares = [theory.md1_wait_cdf(x, load=0.7) for x in waits]
    assert shares[0] == pytest.approx(0.3)
    assert np.all(np.diff(shares) >= -1e-12)
    assert shares[-1] == pytest.approx(1.0)


@pytest.mark.parametrize("waits", [0.0, 0.4, 1.0, 3.7, 8.0])
def test_the_md1_wait_agrees_with_erlangs_own_sum(waits):
    load, steps = 0.7, range(int(waits) + 1)
    terms = [(load * (j - waits)) ** j / factorial(j) * exp(load * (waits - j)) for j in steps]
    assert theory.md1_wait_cdf(waits, load=load) == pytest.approx((1 - load) * sum(terms), abs=1e-10)


def test_a_server_never_busy_on_arrival_serves_at_once():
    assert theory.md1_latency_quantile(0.4, load=0.5) == 1.0


@pytest.mark.parametrize("q", [0.8, 0.9, 0.95, 0.99])
def test_the_stall_formula_agrees_with_arrivals_through_a_stall(q):
    arrivals_s = np.arange(0, 6, 1e-4)
    stalled = (arrivals_s >= 2) & (arrivals_s < 3)
    latencies_s = np.where(stalled, 3 - arrivals_s, 0.0)
    exact_s = theory.stall_latency_quantile_s(q, stall_s=1.0, window_s=6.0)
    assert exact_s == pytest.approx(np.quantile(latencies_s, q), abs=1e-3)


def test_the_stalls_length_is_the_longest_latency():
    assert theory.stall_latency_quantile_s(1.0, stall_s=1.0, window_s=6.0) == 1.0


def test_lindley_on_arrivals_worked_by_hand():
    arrivals_s = np.array([0.0, 1.0, 1.5, 9.0])
    assert theory.fifo_latencies_s(arrivals_s, [2.0, 2.0, 1.0, 3.0]).tolist() == [2.0, 3.0, 3.5, 3.0]


@pytest.mark.parametrize("blocks", [3, 6, 12])
def test_the_smallest_detectable_ratio_is_detected_about_four_times_in_five(blocks):
    """The exact power of a t test is that of the noncentral t distribution."""
    spread = 0.02
    effect = np.log(theory.smallest_detectable_ratio(spread, blocks=blocks))
    critical = stats.t.ppf(0.975, blocks - 1)
    power = stats.nct.sf(critical, blocks - 1, effect / spread * np.sqrt(blocks))
    assert power == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize(("n", "share"), [(3, 0.9), (24, 0.9), (200, 0.9)])
def test_what_is_fewer_than_plausible_is_rare(n, share):
    fewest = theory.fewest_plausible(n, share)
    assert stats.binom.cdf(fewest - 1, n, share) < 0.05 <= stats.binom.cdf(fewest, n, share)


@pytest.mark.parametrize(("n", "share"), [(40, 0.05), (1000, 0.05)])
def test_what_is_more_than_plausible_is_rare(n, share):
    most = theory.most_plausible(n, share)
    assert stats.binom.sf(most, n, share) <= 0.05 < stats.binom.sf(most - 1, n, share)


def simulated(load, service):
    """Latencies of Poisson arrivals at one server, in service times."""
    gaps = np.random.default_rng(7).exponential(1 / load, len(service))
    return theory.fifo_latencies_s(np.cumsum(gaps), service)


@pytest.mark.parametrize("services", [1.5, 3.05, 5.0, 7.49])
def test_the_load_at_a_latency_is_the_inverse_of_the_quantile(services):
    load = theory.md1_load_at(services, q=0.95)
    assert theory.md1_latency_quantile(0.95, load=load) == pytest.approx(services)


def test_p95_of_five_services_is_met_up_to_a_load_just_under_070():
    assert theory.md1_load_at(5.0, q=0.95) == pytest.approx(0.694, abs=0.0005)
