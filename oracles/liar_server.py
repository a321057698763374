"""Answers every n-th request with a wrong body of the right length."""

from __future__ import annotations

import argparse

from oracles.server import BODY, Behaviour, Exchange, http, run

LIE = http(BODY.replace(b"hello", b"hullo"))


def lying(*, every: int) -> Behaviour:
    def behave(exchange: Exchange) -> None:
        if exchange.number % every == 0:
            exchange.reply(LIE)
        else:
            exchange.reply()

    return behave


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--every", type=int, required=True)
    options = parser.parse_args()
    run(options.port, lambda _: lying(every=options.every))


if __name__ == "__main__":
    main()
