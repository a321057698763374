"""Workers that hold a known amount of memory: some shared by all, some their own."""

from __future__ import annotations

import argparse
import mmap

from oracles.server import Behaviour, Exchange, run

MIB = 2**20
_kept: list[bytearray] = []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--shared-mib", type=int, required=True)
    parser.add_argument("--private-mib", type=int, required=True, help="of each worker")
    options = parser.parse_args()
    shared = mmap.mmap(-1, max(mmap.PAGESIZE, options.shared_mib * MIB))

    def behaviour_of(_: int) -> Behaviour:
        # Memory counts from its first use. After a fork, each worker has to touch shared pages itself.
        for offset in range(0, options.shared_mib * MIB, mmap.PAGESIZE):
            shared[offset] = 1
        _kept.append(bytearray(b"\1") * (options.private_mib * MIB))
        return Exchange.reply

    run(options.port, behaviour_of, workers=options.workers)


if __name__ == "__main__":
    main()
