"""Two workers of which one gets every connection. Each answer blocks its worker's event loop for a while."""

from __future__ import annotations

import argparse
import time

from oracles.server import Behaviour, Exchange, run


def blocking(service_s: float) -> Behaviour:
    def behave(exchange: Exchange) -> None:
        time.sleep(service_s)
        exchange.reply()

    return behave


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--service-s", type=float, required=True)
    options = parser.parse_args()
    behave = blocking(options.service_s)
    run(options.port, lambda _: behave, workers=2, listening=1)


if __name__ == "__main__":
    main()
