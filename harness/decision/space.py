"""The matrix of a question: its configurations under its rates, and the rules of thumb among them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.decision.question import Question, loads_of
from harness.decision.rules_of_thumb import rules_of_thumb
from harness.errors import ConfigurationError
from harness.planning.schema import Design, MatrixFile, Open, ScenarioTable
from harness.planning.schema_factors import Factors
from harness.planning.suggestions import unknown
from harness.planning.target_checks import recipes_of

ARRIVALS = 400
"""In a trial at least: p95 then stands on 20 slow requests."""
LEAST_S, MOST_S = 5.0, 30.0
"""Of a trial's window."""
WARMUP_S = 1.5
MOST_BLOCKS = 200


def worker_counts(cpus: Sequence[float]) -> tuple[int, ...]:
    """Those that any rule of thumb gives for any of the CPU limits."""
    return tuple(sorted({count for one in cpus for count in rules_of_thumb(one).values()}))


def matrix_file_of(
    file: MatrixFile,
    question: Question,
    *,
    server_cpus: int,
    budget_s: float,
    recipes: Sequence[str] = (),
    workers: Sequence[int] = (),
    threads: Sequence[int] = (),
    scenario: str = "",
) -> MatrixFile:
    """A matrix file with the configurations of a question in the place of its own.

    Levels that the question says nothing of are the first of the file's. Raises ConfigurationError.
    """
    table = _scenario(file, scenario)
    too_many = [cpus for cpus in question.cpus if cpus > server_cpus]
    if too_many:
        raise ConfigurationError(
            "--cpus",
            [
                f"{too_many[0]:g} is more than {server_cpus}, the cores that the load generator leaves the "
                "server here.\n    Fix: lower it, or take a machine with more"
            ],
        )
    factors = _factors(file, question, server_cpus, recipes, workers, threads)
    design = Design(
        blocks=MOST_BLOCKS,
        budget_s=budget_s,
        slices=False,
        wrapper_cost=False,
        **{
            name: getattr(file.design, name)
            for name in ("seed", "ready_timeout_s", "share_cores", "generators_per_cpu", "cpus")
        },
    )
    return file.model_copy(
        update={
            "name": f"{file.name[:33]}-advice",
            "factors": factors,
            "include": [],
            "exclude": [],
            "design": design,
            "scenarios": [
                _at(table, name, rate_per_s, question) for name, rate_per_s in loads_of(question).items()
            ],
        }
    )


def _factors(
    file: MatrixFile,
    question: Question,
    server_cpus: int,
    recipes: Sequence[str],
    workers: Sequence[int],
    threads: Sequence[int],
) -> Factors:
    """Of every factor that is not asked about the first level of the file."""
    limits: list[Any] = ["none" if cpus == server_cpus else float(cpus) for cpus in question.cpus]
    counts: list[Any] = list(workers or worker_counts(question.cpus))
    first: dict[str, Any] = {
        name: [getattr(file.factors, name)[0]]
        for name in Factors.model_fields
        if name not in ("recipe", "workers", "cpu_quota", "memory_mib", "threads")
    }
    return Factors(
        **first,
        recipe=list(recipes) or list(recipes_of(file)),
        workers=counts,
        cpu_quota=limits,
        memory_mib=[question.memory_mib or "none"],
        threads=list(threads) or [file.factors.threads[0]],
    )


def _scenario(file: MatrixFile, name: str) -> ScenarioTable:
    """The workload: the one named, or the only one."""
    known = {table.name: table for table in file.scenarios}
    if name and name not in known:
        raise ConfigurationError("--scenario", [unknown("scenario", name, known)])
    if not name and len(known) > 1:
        problem = f"the matrix has {len(known)} workloads.\n    Fix: choose one of {', '.join(known)}"
        raise ConfigurationError("--scenario", [problem])
    return known[name] if name else file.scenarios[0]


def measure_s(rate_per_s: float) -> float:
    """Seconds of a trial's window, long enough for a quantile of its answers."""
    return min(MOST_S, max(LEAST_S, ARRIVALS / rate_per_s))


def _at(table: ScenarioTable, name: str, rate_per_s: float, question: Question) -> ScenarioTable:
    return table.model_copy(
        update={
            "name": name,
            "locustfile": None if table.requests else table.locustfile or table.name,
            "load": Open(rate_per_s=rate_per_s),
            "warmup_s": WARMUP_S,
            "measure_s": measure_s(rate_per_s),
            "slo_ms": question.slo_ms,
            "slo_share": question.slo_share,
        }
    )
