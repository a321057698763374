"""Takes every request in and leaves an exact number of them without an answer."""

from __future__ import annotations

import argparse

from oracles.server import Behaviour, Exchange, run


def lossy(*, drops: int, every: int) -> Behaviour:
    """Drops request number every, 2 * every, ... until `drops` are gone."""

    def behave(exchange: Exchange) -> None:
        if exchange.number % every == 0 and exchange.number <= drops * every:
            exchange.drop()
        else:
            exchange.reply()

    return behave


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--drops", type=int, required=True)
    parser.add_argument("--every", type=int, required=True)
    options = parser.parse_args()
    run(options.port, lambda _: lossy(drops=options.drops, every=options.every))


if __name__ == "__main__":
    main()
