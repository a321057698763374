"""Stopping on precision against a fixed number of blocks, on real measurements: two tables for the README.

    python benchmarks/adaptive_real.py [--blocks 20] [--engine auto]

Measured with a fixed number of blocks: servers that serve by sleeping, so that each one's truth is known,
and a matrix of three real deployments. About five minutes each with 20 blocks; the budget of each is bounded.
The adaptive run is the same measurement without the trials that its rules would not have made, as in
adaptive.py. Blocks that the fixed run added for spoilt trials are left out of both. Exits 1 when a verdict
differs or more than a third of the time is spent, and 2 when the machine was too busy for any verdict.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from adaptive import Tally, adaptive, compared, head, ranked, told
from rich.console import Console

from harness import pipeline
from harness.adapters.run_lock import run_lock
from harness.analysis.analyse import analyse
from harness.findings import Comparison
from harness.model import Matrix, TrialRecord
from harness.progress import LiveWatcher
from studies.selfcheck.check import open_rig
from studies.selfcheck.oracle_trials import Server, matrix_of, open_load, scenario

BLOCKS, PRECISION, MOST = 20, 0.05, 1 / 3
SERVICE_S = 0.02
TRUTHS = {"base": 1.0, "equal": 1.0, "plus-2": 1.02, "plus-10": 1.1, "doubled": 2.0}
"""Service times, in those of the baseline."""
LOAD = scenario("paced", open_load(20.0, "constant"), measure_s=1.0)
MATRIX = """
name = "adaptive"
description = "Three deployments whose differences are small, large and in between."
exclude = [{{ recipe = "uvicorn-standard", workers = 2 }}]

[factors]
recipe = ["uvicorn-plain", "uvicorn-standard"]
workers = [1, 2]

[[scenarios]]
name = "items"
load = {{ clients = 16 }}
warmup_s = 0.3
measure_s = 1.2
slo_ms = 50.0

[design]
blocks = {blocks}
seed = 1
budget_s = 400.0
"""

Measured = tuple[Sequence[TrialRecord], Matrix]


def oracles(blocks: int) -> Measured:
    servers = tuple(
        Server(name=name, module="queue_server", arguments=("--service-s", f"{SERVICE_S * times}"))
        for name, times in TRUTHS.items()
    )
    matrix = matrix_of("oracles", servers, LOAD, blocks=blocks, seed=1)
    run_id = f"adaptive-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    with run_lock(run_id, wait=True), open_rig(run_id, full=False, say=_aside) as rig:
        return rig.run(matrix, servers), matrix


def real(blocks: int, engine: str) -> Measured:
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="harness-adaptive-")))
        path = scratch / "adaptive.toml"
        path.write_text(MATRIX.format(blocks=blocks))
        watcher = stack.enter_context(LiveWatcher(Console(stderr=True)))
        options = pipeline.RunOptions(results=scratch, engine=engine, wait=True)
        store = pipeline.run(pipeline.resolved(path), options, watcher).store
        return [record for record in store.records() if record.block <= blocks], store.matrix()


def by_variant(name: str, records: Sequence[TrialRecord], matrix: Matrix) -> Iterator[str]:
    """Rows with both verdicts and the trials behind each."""
    shorter = replace(matrix, precision=PRECISION)
    seen = ranked(analyse(adaptive(records, shorter), shorter))
    for key, fixed in ranked(analyse(records, matrix)).items():
        yield f"| {name} | {fixed.variant_id} | {_told(fixed)} | {_told(seen[key]) if key in seen else '-'} |"


def _told(pair: Comparison) -> str:
    return f"{pair.ratio.center:.3f}x, {pair.verdict}, {pair.ratio.n}"


def _aside(message: str) -> None:
    print(message, file=sys.stderr)


def _met(tally: Tally) -> bool:
    return tally.agreeing == tally.verdicts and tally.share <= MOST


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=BLOCKS)
    parser.add_argument("--engine", default="auto")
    options = parser.parse_args()
    measured = {"oracles": oracles(options.blocks), "real matrix": real(options.blocks, options.engine)}
    tallies = {name: compared(records, matrix, PRECISION) for name, (records, matrix) in measured.items()}
    if not all(tally.verdicts for tally in tallies.values()):
        _aside(
            "no verdict to compare: the machine was too busy for a VALID trial, or there were too few blocks"
        )
        return 2
    print(head("servers"))
    for name, tally in tallies.items():
        told(name, options.blocks, PRECISION, [tally])
    print("\n| servers | variant | fixed: ratio to the baseline, verdict, pairs | adaptive |")
    print("|---|---|---|---|")
    for name, (records, matrix) in measured.items():
        print("\n".join(by_variant(name, records, matrix)))
    return int(not all(map(_met, tallies.values())))


if __name__ == "__main__":
    sys.exit(main())
