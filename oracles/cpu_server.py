"""Computes for every answer; on request with an access log, or with a worker that dies in mid-run."""

from __future__ import annotations

import argparse
import os
import signal
from hashlib import sha256

from oracles.server import Behaviour, Exchange, run


def computing(iterations: int, *, dies_at: int | None) -> Behaviour:
    """A chain of SHA-256 for each answer; at request number `dies_at` the worker kills itself instead."""

    def behave(exchange: Exchange) -> None:
        if exchange.number == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        digest = b"oracle"
        for _ in range(iterations):
            digest = sha256(digest).digest()
        exchange.reply()

    return behave


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--iterations", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--access-log", action="store_true")
    parser.add_argument("--kill-last-at", type=int, help="number of the request that kills the last worker")
    options = parser.parse_args()

    def behaviour_of(worker: int) -> Behaviour:
        last = worker == options.workers - 1
        return computing(options.iterations, dies_at=options.kill_last_at if last else None)

    run(options.port, behaviour_of, workers=options.workers, access_log=options.access_log)


if __name__ == "__main__":
    main()
