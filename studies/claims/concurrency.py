"""C1 to C4: what one worker can do at once."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.client_steps import BLOCKING, THREADS, clients_of, knee, ladders
from harness.analysis.metrics import LATENCY_P95, THROUGHPUT
from harness.model import OpenLoad, Scenario
from studies.claims.answers import BETTER, NO_BETTER, WORSE, Judge, compared, within
from studies.claims.claim import AnswerPart, Claim, Question
from studies.claims.claim_evidence import ClaimEvidence, MeasuredRun, NotMeasured

CLIENTS, VICTIM, POOL, WAITING = (f"concurrency-{name}" for name in ("clients", "victim", "pool", "waiting"))
KNEE_TOLERANCE, WAIT_TOLERANCE = 0.1, 0.1
LATENCY_P50 = "latency_p50_s"
FEWEST_WAITING = 1000
"""What "thousands of waiting requests" must reach at least."""


def ladder(run: MeasuredRun, locustfile: str) -> tuple[Scenario, ...]:
    """Raises NotMeasured."""
    rungs = ladders(run.matrix).get(locustfile)
    if rungs is None:
        raise NotMeasured(f"two client counts of {locustfile} in {run.name}")
    return rungs


def clients_change_throughput(locustfile: str, judge: Judge, asked: str) -> Question:
    """The most clients against the fewest, on one worker."""

    def ask(evidence: ClaimEvidence) -> Iterator[AnswerPart]:
        run = evidence.run(CLIENTS)
        rungs, one = ladder(run, locustfile), run.matrix.baseline_id
        [pair] = run.judged([((one, rungs[-1].name), (one, rungs[0].name), THROUGHPUT)])
        yield compared(pair, judge, f"{asked} from {clients_of(rungs[0])} to {clients_of(rungs[-1])} clients")

    return ask


def workers_add_parallelism(evidence: ClaimEvidence) -> Iterator[AnswerPart]:
    run = evidence.run("workers-all-cpus")
    workload = run.scenario("cpu_bound").name
    two, one = run.variant("uvicorn-standard", 2), run.variant("uvicorn-standard", 1)
    [pair] = run.judged([((two, workload), (one, workload), THROUGHPUT)])
    yield compared(pair, BETTER, "2 workers on all cores serve more CPU-bound requests than 1")


def victim(beside: str, than: str, judge: Judge, asked: str) -> Question:
    """The light endpoint's own latency under one neighbour against under another."""

    def ask(evidence: ClaimEvidence) -> Iterator[AnswerPart]:
        run = evidence.run(VICTIM)
        one = run.matrix.baseline_id
        upper, lower = (run.scenario(name).name for name in (beside, than))
        [pair] = run.judged([((one, upper), (one, lower), LATENCY_P95)])
        yield compared(pair, judge, asked)

    return ask


def knee_is_where_foretold(evidence: ClaimEvidence) -> Iterator[AnswerPart]:
    run = evidence.run(POOL)
    rungs = ladder(run, BLOCKING)
    for variant in run.matrix.variants:
        seen = knee(run.samples, variant.id, rungs)
        if seen is None:
            raise NotMeasured(f"{variant.id} under few and many clients in {POOL}")
        asked = f"the knee lies at {THREADS} clients a worker, with {variant.workers}"
        yield within(seen, THREADS * variant.workers, KNEE_TOLERANCE, asked, " clients")


def one_loop_waits_for_thousands(evidence: ClaimEvidence) -> Iterator[AnswerPart]:
    """With thousands waiting at once, a request takes as long as with a few, all on one worker."""
    run = evidence.run(WAITING)
    one, waiting = run.matrix.baseline_id, _waiting(run)
    few, many = min(waiting, key=waiting.__getitem__), max(waiting, key=waiting.__getitem__)
    if waiting[many] < FEWEST_WAITING:
        raise NotMeasured(f"{FEWEST_WAITING:,} waiting at once: {WAITING} had {waiting[many]:,.0f}")
    slower = run.ratio((one, many), (one, few), LATENCY_P95).ratio
    asked = f"with {waiting[many]:,.0f} waiting at once p95 is as with {waiting[few]:,.0f}"
    yield within(slower, 1.0, WAIT_TOLERANCE, asked, " times")


def _waiting(run: MeasuredRun) -> dict[str, float]:
    """Requests in flight by scenario, from Little's law: the offered rate times the median latency."""
    waiting = {}
    for scenario in run.matrix.scenarios:
        cell = run.cells[run.matrix.baseline_id, scenario.name]
        if isinstance(scenario.load, OpenLoad) and LATENCY_P50 in cell.metrics:
            waiting[scenario.name] = scenario.load.rate_per_s * cell.metrics[LATENCY_P50].center
    if len(waiting) < 2:
        raise NotMeasured(f"two rates of waiting requests in {WAITING}")
    return waiting


CLAIMS = (
    Claim(
        id="C1",
        text="async def adds concurrency within one worker; more workers add parallelism",
        said_by="guides and the official documentation",
        sources=(CLIENTS, "workers-all-cpus"),
        depends_on="the workload",
        questions=(
            clients_change_throughput("async_io", BETTER, "async I/O on one worker grows"),
            clients_change_throughput("cpu_bound", NO_BETTER, "CPU-bound work on one worker does not grow"),
            workers_add_parallelism,
        ),
    ),
    Claim(
        id="C2",
        text="CPU-bound code blocks the loop; a thread or a process pool helps",
        said_by="guides and the official documentation",
        sources=(VICTIM,),
        depends_on="the remedy",
        questions=(
            victim("beside_async", "alone", WORSE, "a light endpoint waits beside CPU work in async def"),
            victim("beside_thread", "beside_async", BETTER, "it waits less next to a def endpoint"),
            victim("beside_process", "beside_async", BETTER, "it waits less next to a process pool"),
        ),
    ),
    Claim(
        id="C3",
        text="a sync def endpoint has 40 threads a worker: throughput stops growing at 40 / service time",
        said_by="the official documentation, by way of its thread pool",
        sources=(POOL,),
        depends_on="the number of workers",
        questions=(knee_is_where_foretold,),
    ),
    Claim(
        id="C4",
        text="one event loop handles thousands of waiting requests",
        said_by="guides and the official documentation",
        sources=(WAITING,),
        depends_on="the load",
        questions=(one_loop_waits_for_thousands,),
    ),
)
