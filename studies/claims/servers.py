"""S1 to S12: servers and stacks."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.metrics import CPU_PER_REQUEST, WORKING_SET
from harness.model import Validity
from studies.claims.answers import BETTER, NO_WORSE, WORSE, Judge, compared, fewer, happened
from studies.claims.claim import Answer, AnswerPart, Claim, Question
from studies.claims.claim_evidence import ClaimEvidence, NotMeasured

SERVERS, MISMATCH = "servers", "wsgi-mismatch"
STANDARD = "uvicorn-standard"


def against(
    recipe: str,
    other: str,
    judge: Judge,
    asked: str,
    *,
    preset: str = SERVERS,
    metric: str | None = None,
) -> Question:
    """One recipe against another under every scenario of a preset, by a metric or as its scenarios rank."""

    def ask(evidence: ClaimEvidence) -> Iterator[AnswerPart]:
        run = evidence.run(preset)
        pairs = run.everywhere(run.variant(recipe), run.variant(other), metric)
        yield from (compared(pair, judge, f"{asked} on {pair.scenario}") for pair in pairs)

    return ask


def more_workers(preset: str, where: str) -> Question:
    """Two workers of uvicorn against one."""

    def ask(evidence: ClaimEvidence) -> Iterator[AnswerPart]:
        run = evidence.run(preset)
        pairs = run.everywhere(run.variant(STANDARD, 2), run.variant(STANDARD, 1))
        yield from (
            compared(pair, BETTER, f"2 workers serve more than 1 on {pair.scenario}, {where}")
            for pair in pairs
        )

    return ask


def all_against_baseline(preset: str, asked: str) -> Question:
    """Every other variant of a preset that compares a pair: costs show in any of these."""

    def ask(evidence: ClaimEvidence) -> Iterator[AnswerPart]:
        run = evidence.run(preset)
        base = run.matrix.baseline_id
        for variant in run.matrix.variants:
            if variant.id != base:
                pairs = run.everywhere(variant.id, base)
                names = f"{variant.id} {asked} {base}"
                yield from (compared(pair, WORSE, f"{names} on {pair.scenario}") for pair in pairs)

    return ask


def replaced(probe: str, target: str, asked: str) -> Question:
    def ask(evidence: ClaimEvidence) -> Iterator[AnswerPart]:
        yield happened(evidence.observed("lifecycle", probe, target, "replaced_s"), asked)

    return ask


def replaced_only_by(probe: str, target: str, rival: str, asked: str) -> Question:
    """An advantage is what the rival has not."""

    def ask(evidence: ClaimEvidence) -> Iterator[AnswerPart]:
        own, others = (
            happened(evidence.observed("lifecycle", probe, name, "replaced_s"), asked)
            for name in (target, rival)
        )
        ahead = own.answer is Answer.YES and others.answer is not Answer.YES
        figure = f"{target} {own.figure}; {rival} {others.figure}"
        yield AnswerPart(asked=asked, answer=Answer.YES if ahead else Answer.NO, figure=figure)

    return ask


def smaller_image(evidence: ClaimEvidence) -> Iterator[AnswerPart]:
    plain, standard = (
        evidence.observed("images", "plain-or-standard", side, "unpacked_bytes")
        for side in ("plain", "standard")
    )
    yield fewer(plain, standard, "a smaller image")


def cannot_serve(evidence: ClaimEvidence) -> Iterator[AnswerPart]:
    """Whether a mismatched server broke on everything asked of it, on a machine where the baseline works."""
    run = evidence.run(MISMATCH)
    sync, base = run.variant("gunicorn-sync"), run.matrix.baseline_id
    for scenario in run.matrix.scenarios:
        cell, control = run.cells[sync, scenario.name], run.cells[base, scenario.name]
        if not (cell.cannot_serve or cell.valid) or control.word is not Validity.VALID:
            raise NotMeasured(f"{sync} beside a working {base} on {scenario.name}")
        yield AnswerPart(
            asked=f"it cannot serve {scenario.name}",
            answer=Answer.NO if cell.valid else Answer.YES,
            figure=f"{cell.valid} of {cell.trials} trials VALID, {base} {control.valid} of {control.trials}",
        )


def replicas(evidence: ClaimEvidence) -> Iterator[AnswerPart]:
    run = evidence.run("replicas")
    counts = sorted(
        {variant.workers for variant in run.matrix.variants if variant.recipe == "nginx-replicas"}
    )
    for count in counts:
        pairs = run.everywhere(run.variant("nginx-replicas", count), run.variant(STANDARD, count))
        asked = f"{count} replicas serve no less than {count} workers"
        yield from (compared(pair, NO_WORSE, f"{asked} on {pair.scenario}") for pair in pairs)


CLAIMS = (
    Claim(
        id="S1",
        text="plain uvicorn (h11, asyncio) is the better base: a smaller image at no cost in speed",
        said_by='guides: "keep the image small: uvloop has C dependencies"',
        sources=(SERVERS, "images"),
        depends_on="what counts, bytes or requests",
        questions=(smaller_image, against("uvicorn-plain", STANDARD, NO_WORSE, "no slower")),
    ),
    Claim(
        id="S2",
        text="uvicorn[standard] (httptools, uvloop) is faster than plain uvicorn",
        said_by='guides: "for the uvloop speed-up", "essential for high performance"',
        sources=(SERVERS,),
        depends_on="the workload",
        questions=(against(STANDARD, "uvicorn-plain", BETTER, "faster"),),
    ),
    Claim(
        id="S3",
        text="uvicorn --workers N gives more than a single process, and replaces dead workers",
        said_by='guides: "better concurrency than a single process"',
        sources=(SERVERS, "workers-all-cpus", "lifecycle"),
        depends_on="the cores, the workload and what is asked",
        questions=(
            more_workers(SERVERS, "on one core"),
            more_workers("workers-all-cpus", "on all cores"),
            replaced("worker-killed", f"{STANDARD}.w2", "a killed worker is replaced"),
        ),
    ),
    Claim(
        id="S4",
        text="gunicorn with uvicorn workers does better than uvicorn alone: requests, dead and stuck workers",
        said_by='guides: "industry standard", "mandatory on VMs", "battle-tested"',
        sources=(SERVERS, "lifecycle"),
        depends_on="what is asked of it",
        questions=(
            against("gunicorn-uvicorn", STANDARD, BETTER, "faster than uvicorn"),
            against("gunicorn-uvicorn-deprecated", STANDARD, BETTER, "faster by the deprecated worker class"),
            replaced_only_by(
                "worker-killed",
                "gunicorn-uvicorn.w2",
                f"{STANDARD}.w2",
                "only gunicorn replaces a killed worker",
            ),
            replaced_only_by(
                "stuck-blocked-loop",
                "gunicorn-uvicorn.w2",
                f"{STANDARD}.w2",
                "only gunicorn replaces a worker whose event loop is blocked",
            ),
        ),
    ),
    Claim(
        id="S5",
        text="gunicorn's own asgi worker is no slower than uvicorn, with and without its C parser",
        said_by="nobody: too new for the guides",
        sources=(SERVERS,),
        depends_on="the parser and the workload",
        questions=(
            against("gunicorn-asgi", STANDARD, NO_WORSE, "no slower with gunicorn[fast]"),
            against("gunicorn-asgi-pure", STANDARD, NO_WORSE, "no slower without gunicorn[fast]"),
        ),
    ),
    Claim(
        id="S6",
        text="`fastapi run` serves no fewer requests than uvicorn",
        said_by="the official documentation",
        sources=(SERVERS,),
        depends_on="the workload",
        questions=(against("fastapi-run", STANDARD, NO_WORSE, "no slower"),),
    ),
    Claim(
        id="S7",
        text="gunicorn's default sync (WSGI) worker cannot serve an ASGI app",
        said_by='guides: "a mismatch would not work at all"',
        sources=(MISMATCH,),
        depends_on="the workload",
        questions=(cannot_serve,),
    ),
    Claim(
        id="S8",
        text="one process per container behind a load balancer is no slower than workers in one container",
        said_by='the official documentation: "in a cluster, one process per container"',
        sources=("replicas",),
        depends_on="the workload and the count",
        questions=(replicas,),
    ),
    Claim(
        id="S9",
        text="--reload has a significant overhead in production",
        said_by='guides: "significant overhead"',
        sources=("reload",),
        depends_on="the resource and the workload",
        questions=(
            against("uvicorn-reload", STANDARD, WORSE, "fewer requests", preset="reload"),
            against("uvicorn-reload", STANDARD, WORSE, "more memory", preset="reload", metric=WORKING_SET),
        ),
    ),
    Claim(
        id="S10",
        text="TLS is better terminated at nginx than in uvicorn",
        said_by='guides: "don\'t terminate TLS in Uvicorn"',
        sources=("tls",),
        depends_on="the connections and the measure",
        questions=(
            against("nginx-tls", "uvicorn-tls", BETTER, "faster with TLS at nginx", preset="tls"),
            against(
                "nginx-tls", "uvicorn-tls", BETTER, "less CPU a request", preset="tls", metric=CPU_PER_REQUEST
            ),
        ),
    ),
    Claim(
        id="S11",
        text="mounted sub-applications cost requests against routes on one app",
        said_by="guides that show both",
        sources=("mounting",),
        depends_on="the workload",
        questions=(all_against_baseline("mounting", "is slower than"),),
    ),
    Claim(
        id="S12",
        text="a server, parser or loop that the guides do not mention is faster than uvicorn[standard]",
        said_by="their own projects",
        sources=(SERVERS,),
        depends_on="the server and the workload",
        questions=(
            against("granian", STANDARD, BETTER, "granian is faster"),
            against("hypercorn", STANDARD, BETTER, "hypercorn is faster"),
            against("uvicorn-zttp", STANDARD, BETTER, "uvicorn is faster with zttp"),
            against("uvicorn-rloop", STANDARD, BETTER, "uvicorn is faster with rloop"),
        ),
    ),
)
