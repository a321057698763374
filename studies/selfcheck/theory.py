"""What theory says that a right measurement must find. Pure formulas, each with its source."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import stdtrit
from scipy.stats import binom, poisson


def md1_wait_cdf(waits: float, *, load: float) -> float:
    """P(waiting time <= `waits` service times) of M/D/1 at `load` (arrival rate x service time, < 1).

    G. J. Franx (2001, "A simple solution for the M/D/c waiting time distribution") for c = 1. Erlang's
    sum of 1909 is shorter, but alternates, and has lost half of its digits at 25 service times.
    """
    steps = math.floor(waits) + 1
    rest = load * (steps - waits)
    at_most = np.cumsum(_md1_in_system(steps + 1, load=load))[1:]
    return float(at_most[::-1] @ poisson.pmf(np.arange(steps), rest))


def _md1_in_system(count: int, *, load: float) -> NDArray[np.float64]:
    """P(0 in the system), P(1), ...: `count` of them, by a recursion that adds positive terms only.

    H. C. Tijms, A First Course in Stochastic Models (2003), section 9.2.1.
    """
    more_than = poisson.sf(np.arange(count), load)
    shares = np.zeros(count)
    shares[0] = 1 - load
    for n in range(1, count):
        arrived = more_than[n - 1] * shares[0] + more_than[1:n] @ shares[n - 1 : 0 : -1]
        shares[n] = arrived / math.exp(-load)
    return shares


def md1_latency_quantile(q: float, *, load: float) -> float:
    """Quantile of waiting plus service of M/D/1, in service times."""
    if q <= 1 - load:
        return 1.0
    longest = mm1_latency_quantile(q, load=load)
    return 1.0 + float(brentq(lambda waits: md1_wait_cdf(waits, load=load) - q, 0.0, longest))


def md1_load_at(services: float, *, q: float) -> float:
    """The load of M/D/1 at which quantile `q` of its latency comes to so many service times (more than 1)."""
    return float(brentq(lambda load: md1_latency_quantile(q, load=load) - services, 1e-6, 0.99))


def mm1_latency_quantile(q: float, *, load: float) -> float:
    """The same of M/M/1, in mean service times: the time in system is exponential with rate mu - lambda."""
    return -math.log(1 - q) / (1 - load)


def stall_latency_quantile_s(q: float, *, stall_s: float, window_s: float) -> float:
    """Latency at quantile `q` of arrivals at a constant rate, one stall within the window, no other delay.

    Who arrives during the stall waits what is left of it, uniform on (0, stall_s): a share x / window_s of
    all waits longer than stall_s - x.
    """
    return max(0.0, stall_s - (1 - q) * window_s)


def fifo_latencies_s(arrivals_s: NDArray[np.float64], service_s: Iterable[float]) -> NDArray[np.float64]:
    """Waiting plus service of each of these very arrivals, ascending, at one server in turn.

    D. V. Lindley (1952): a request starts when the one before it has left, or when it arrives.
    """
    left_s, latencies = -math.inf, np.empty(len(arrivals_s))
    for index, (arrival_s, needs_s) in enumerate(zip(arrivals_s, service_s, strict=False)):
        left_s = max(left_s, arrival_s) + needs_s
        latencies[index] = left_s - arrival_s
    return latencies


def smallest_detectable_ratio(log_spread: float, *, blocks: int, power: float = 0.8) -> float:
    """The ratio that a paired t test on `blocks` log-ratios of this standard deviation finds with `power`.

    (t at 0.975 + t at `power`) * spread / sqrt(n), blocks - 1 degrees of freedom (W. G. Cochran and
    G. M. Cox, Experimental Designs, 1957, section 2.2).
    """
    freedom = blocks - 1
    steps = float(stdtrit(freedom, 0.975)) + float(stdtrit(freedom, power))
    return math.exp(steps * log_spread / math.sqrt(blocks))


def fewest_plausible(n: int, share: float, *, chance: float = 0.05) -> int:
    """Fewer successes than this of `n` would come, at a true rate of `share`, less often than `chance`."""
    return int(binom.ppf(chance, n, share))


def most_plausible(n: int, share: float, *, chance: float = 0.05) -> int:
    """More successes than this of `n` would come, at a true rate of `share`, less often than `chance`."""
    return int(binom.ppf(1 - chance, n, share))
