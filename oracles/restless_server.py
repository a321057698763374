"""Computes for every answer, and works on without being asked, as a watcher of files does."""

from __future__ import annotations

import argparse
import threading
import time

from oracles.cpu_server import computing
from oracles.server import run

EVERY_S, ITERATIONS = 0.1, 400


def work(share: float) -> None:
    """Use this share of a core, for ever."""
    while True:
        began_s = time.thread_time()
        while time.thread_time() - began_s < share * EVERY_S:
            pass
        time.sleep((1 - share) * EVERY_S)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--share", type=float, required=True, help="of a core")
    options = parser.parse_args()
    threading.Thread(target=work, args=(options.share,), daemon=True).start()
    run(options.port, lambda _: computing(ITERATIONS, dies_at=None))


if __name__ == "__main__":
    main()
