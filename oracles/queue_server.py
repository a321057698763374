"""One server, first come first served, that serves by sleeping: M/D/1 or M/M/1 under Poisson arrivals.

Each answer leaves at max(arrival, end of the one before) + service time, computed and not accumulated from
timers, so that a late timer delays one answer and shifts none after it.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections.abc import Callable

from oracles.server import Behaviour, Exchange, run


def queue(draw_s: Callable[[], float]) -> Behaviour:
    free_at_s = 0.0

    def behave(exchange: Exchange) -> None:
        nonlocal free_at_s
        loop = asyncio.get_running_loop()
        free_at_s = max(free_at_s, loop.time()) + draw_s()
        loop.call_at(free_at_s, exchange.reply)

    return behave


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--service-s", type=float, required=True, help="mean service time")
    parser.add_argument("--exponential", action="store_true", help="exponential instead of fixed service")
    parser.add_argument("--seed", type=int, default=1, help="of exponential service times")
    options = parser.parse_args()
    rng = random.Random(options.seed)

    def draw_s() -> float:
        return rng.expovariate(1 / options.service_s) if options.exponential else options.service_s

    run(options.port, lambda _: queue(draw_s))


if __name__ == "__main__":
    main()
