"""The search of `harness advise` against an exhaustive one, on real containers: a table for the README.

    python benchmarks/advise.py [--scenario mixed ...] [--rate 300] [--slo-ms 100]

For each workload of the bundled app the configurations of two servers, 1 to 3 workers, half a CPU and one,
one replica and two: first as `harness advise` asks about them, then every one of them until it is settled by
its own trials. About a quarter of an hour for each workload. Exits 1 when an answer differs from the
exhaustive one, costs more, and does not pass there, or takes more than a third of its trials. In simulation,
20 times on each of four machines: tests/decision/test_racing.py.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from rich.console import Console

from harness import pipeline, stored_advice
from harness.analysis.best_set import Simplicity
from harness.decision.answer_sentence import spoken
from harness.decision.feasibility import State, standing_of
from harness.decision.question import Candidate, Question, cell_of
from harness.decision.race import Race
from harness.decision.racing import remaining_of
from harness.decision.space import matrix_file_of
from harness.model import Matrix, Trial, TrialRecord
from harness.planning.remaining import Block
from harness.planning.schema import MatrixFile
from harness.progress import LiveWatcher

SCENARIOS = ("async_io", "sync_io", "cpu_bound", "mixed")
RECIPES = ("uvicorn-standard", "gunicorn-uvicorn")
WORKERS = (1, 2, 3)
CPUS = (0.5, 1.0)
AT_A_TIME = 4
MOST = 1 / 3
HOUR_S = 3600.0


def exhaustive_of(question: Question, simplicity: Simplicity) -> pipeline.Remaining:
    """Every candidate, until its own trials settle it."""

    def remaining(
        records: Sequence[TrialRecord], matrix: Matrix, left_out: Collection[str], /
    ) -> tuple[Block, ...]:
        race = Race(matrix, question, records, simplicity, frozenset(left_out))
        number = 1 + max((record.block for record in records), default=0)
        open_ = [one for one in race.candidates if _is_open(race, one)]
        trials = tuple(Trial(cell=cell_of(matrix, one), block=number) for one in open_[:AT_A_TIME])
        return (trials,) if trials else ()

    return remaining


def _is_open(race: Race, candidate: Candidate) -> bool:
    return standing_of(race.trials(candidate), race.question).state is State.UNKNOWN


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenario", action="append", choices=SCENARIOS)
    parser.add_argument("--rate", type=float, default=300.0)
    parser.add_argument("--slo-ms", type=float, default=100.0)
    chosen = parser.parse_args()
    question = Question(
        rate_per_s=chosen.rate, slo_ms=chosen.slo_ms, cpus=CPUS, replicas=(1, 2), memory_mib=512
    )
    simplicity = stored_advice.simplicity()
    console, good = Console(), True
    rows = []
    for scenario in chosen.scenario or SCENARIOS:

        def change(file: MatrixFile, scenario: str = scenario) -> MatrixFile:
            return matrix_file_of(
                file,
                question,
                server_cpus=1,
                budget_s=HOUR_S,
                recipes=RECIPES,
                workers=WORKERS,
                scenario=scenario,
            )

        known = stored_advice.with_limits(pipeline.resolved(Path("worker-heuristics"), change), question)
        races = []
        for remaining in (remaining_of(question, simplicity), exhaustive_of(question, simplicity)):
            with tempfile.TemporaryDirectory() as scratch, LiveWatcher(console) as watcher:
                options = pipeline.RunOptions(results=Path(scratch), wait=True)
                store = pipeline.run(known, options, watcher, remaining=remaining).store
                races.append(Race(known.matrix, question, store.records(), simplicity))
        row, agrees = _row(scenario, *races)
        rows.append(row)
        good = good and agrees
    print("| workload | advised | exhaustive | trials | of exhaustive |\n| --- | --- | --- | --- | --- |")
    print("\n".join(rows))
    return 0 if good else 1


def _row(scenario: str, searched: Race, exhaustive: Race) -> tuple[str, bool]:
    found, best = searched.best(), exhaustive.best()
    share = len(searched.records) / len(exhaustive.records)
    agrees = found == best or (
        found is not None
        and best is not None
        and exhaustive.cost(found) <= exhaustive.cost(best)
        and exhaustive.standing(found).state is State.PASSES
    )
    told = [
        "none" if one is None else spoken(one, race) for one, race in ((found, searched), (best, exhaustive))
    ]
    cells = [scenario, *told, f"{len(searched.records)} of {len(exhaustive.records)}", f"{share:.0%}"]
    return f"| {' | '.join(cells)} |", agrees and share <= MOST


if __name__ == "__main__":
    sys.exit(main())
