"""`harness advise`: the cheapest configuration that meets an objective at a rate."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from harness.cli.console import DAILY, RESULTS, ResultsOption, app, console, say
from harness.cli.runs import MATRIX, MatrixOption, check_engine, measure, repeated
from harness.errors import ConfigurationError, ExitCode

if TYPE_CHECKING:
    from harness.decision.question import Question

T = TypeVar("T")


@app.command(rich_help_panel=DAILY)
def advise(
    slo: Annotated[str, typer.Option(help='The objective, such as "p95<100ms,errors<0.1%".')],
    rate: Annotated[float, typer.Option(min=0.1, help="Requests per second that have to be served.")],
    matrix: MatrixOption = MATRIX,
    cpus: Annotated[str, typer.Option(help='CPU limits to consider, such as "0.5,1,2"; all there are.')] = "",
    memory: Annotated[str, typer.Option(help='The most memory a replica may have, such as "512m".')] = "",
    replicas: Annotated[str, typer.Option(help='Numbers of replicas to consider, such as "1-4".')] = "1",
    headroom: Annotated[
        float, typer.Option(min=0, max=5, help="To spare: 0.3 is 30 % above the rate.")
    ] = 0.3,
    price: Annotated[str, typer.Option(help='Per hour, such as "cpu=0.04,gib=0.005".')] = "",
    recipe: Annotated[list[str] | None, typer.Option(help="A server to consider; may be repeated.")] = None,
    workers: Annotated[str, typer.Option(help='Worker counts, such as "1-4"; else the usual ones.')] = "",
    threads: Annotated[str, typer.Option(help='Sizes of the thread pool, such as "40,80".')] = "",
    scenario: Annotated[str, typer.Option(help="The workload, where the matrix has several.")] = "",
    budget: Annotated[str, typer.Option(help='How long it may take, such as "5m".')] = "10m",
    results: ResultsOption = RESULTS,
    engine: Annotated[str, typer.Option(help="auto, docker or process (no containers).")] = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Resume the newest search.")] = False,
    wait: Annotated[bool, typer.Option(help="Wait for another run on this host to end.")] = False,
) -> None:
    """Find the cheapest configuration that meets an objective at a rate, by measuring.

    Examples: harness advise --slo "p95<100ms" --rate 300; harness advise --slo "p95<50ms,errors<0.1%"
    --rate 800 --cpus 0.5,1 --replicas 1-4 --memory 512m
    """
    from harness import pipeline, stored_advice, stored_report
    from harness.decision.answer import Ending
    from harness.decision.racing import remaining_of
    from harness.decision.space import matrix_file_of
    from harness.execution.blocks import RunEnd
    from harness.planning.durations import parse_duration
    from harness.planning.schema import MatrixFile
    from harness.reporting.advice_text import to_terminal

    check_engine(engine)
    counts = [int(count) for count in _parsed("--workers", _numbers, workers)] if workers else []
    pools = [int(size) for size in _parsed("--threads", _numbers, threads)] if threads else []
    budget_s = _parsed("--budget", parse_duration, budget)
    server_cpus = _server_cpus(matrix)
    question = _question(slo, rate, cpus, memory, replicas, headroom, price, server_cpus)

    def change(file: MatrixFile) -> MatrixFile:
        return matrix_file_of(
            file,
            question,
            server_cpus=server_cpus,
            budget_s=budget_s,
            recipes=recipe or (),
            workers=counts,
            threads=pools,
            scenario=scenario,
        )

    known = stored_advice.with_limits(pipeline.resolved(matrix, change), question)
    options = pipeline.RunOptions(
        results=results,
        engine=engine,
        resume="" if resume else None,
        wait=wait,
        command=repeated(sys.argv[1:], leave_out=("--resume",)),
        asked=stored_advice.question_to_json(question),
    )
    remaining = remaining_of(question, stored_advice.simplicity())
    outcome = measure(known, options, remaining=remaining)
    screen = console()
    data = stored_report.report_data(outcome.store)
    advice = stored_advice.advice_of(outcome.store, data)
    screen.print(to_terminal(advice))
    page, *_ = stored_advice.write_advice(outcome.store, advice, data)
    say(screen, f"\nReport: {page}")
    if outcome.end is RunEnd.INTERRUPTED:
        raise typer.Exit(ExitCode.INTERRUPTED)
    if advice.ending is Ending.FOUND:
        say(screen, f"Next: harness export {outcome.store.path.name}")
        return
    raise typer.Exit(ExitCode.REGRESSION if advice.ending is Ending.NONE_PASSES else ExitCode.TRIALS)


def _server_cpus(matrix: Path) -> int:
    from harness import pipeline

    return len(pipeline.resolved(matrix).matrix.server_cpus)


def _question(
    slo: str,
    rate: float,
    cpus: str,
    memory: str,
    replicas: str,
    headroom: float,
    price: str,
    server_cpus: int,
) -> Question:
    from harness.decision.question import Question, parse_memory, parse_price, parse_slo

    slo_ms, slo_share, error_share = _parsed("--slo", parse_slo, slo)
    return Question(
        rate_per_s=rate,
        slo_ms=slo_ms,
        slo_share=slo_share,
        error_share=error_share,
        headroom=headroom,
        cpus=_parsed("--cpus", _numbers, cpus) if cpus else (float(server_cpus),),
        memory_mib=_parsed("--memory", parse_memory, memory) if memory else None,
        replicas=tuple(int(count) for count in _parsed("--replicas", _numbers, replicas)),
        price=_parsed("--price", parse_price, price) if price else None,
    )


def _numbers(text: str) -> tuple[float, ...]:
    from harness.decision.question import parse_numbers

    return parse_numbers(text)


def _parsed(option: str, parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigurationError(option, [str(error)]) from error
