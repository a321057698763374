"""Answers after a fixed time, and stands still once, for a known time: a blocked event loop."""

from __future__ import annotations

import argparse
import asyncio
import time

from oracles.server import Behaviour, Exchange, run


def stalling(*, after_s: float, stall_s: float, service_s: float) -> Behaviour:
    """The stall begins `after_s` after the first counted request. Requests do not wait for each other."""

    def behave(exchange: Exchange) -> None:
        loop = asyncio.get_running_loop()
        if exchange.number == 1:
            loop.call_later(after_s, time.sleep, stall_s)
        loop.call_later(service_s, exchange.reply)

    return behave


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--after-s", type=float, required=True)
    parser.add_argument("--stall-s", type=float, required=True)
    parser.add_argument("--service-s", type=float, default=0.0)
    options = parser.parse_args()
    behave = stalling(after_s=options.after_s, stall_s=options.stall_s, service_s=options.service_s)
    run(options.port, lambda _: behave)


if __name__ == "__main__":
    main()
