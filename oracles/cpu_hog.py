"""Keeps one core busy for a bounded time: the neighbour that a benchmark has to notice."""

from __future__ import annotations

import argparse
from time import monotonic


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, required=True, help="ends by itself after this long")
    end_s = monotonic() + parser.parse_args().seconds
    while monotonic() < end_s:
        pass


if __name__ == "__main__":
    main()
