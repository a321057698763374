"""L1 to L11: starting, stopping, dying and being replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from studies.claims.answers import NO_WORSE, always, each, happened, lost_none, never, spread_of
from studies.claims.claim import Answer, AnswerPart, Claim, Question
from studies.claims.claim_evidence import ClaimEvidence, NotMeasured
from studies.claims.memory_answers import additive, predicted_kill
from studies.claims.servers import against
from studies.observations import Observation

LIFECYCLE = "lifecycle"
KILLED = 137
"""The exit code of what was killed with SIGKILL: 128 + 9."""
STUCK = ("stuck-blocked-loop", "stuck-held-gil", "stuck-sigstop", "stuck-starting")

Answering = Callable[[Observation, str], AnswerPart]


def of_every_target(probe: str, quantity: str, answer: Answering, asked: str) -> Question:
    def ask(evidence: ClaimEvidence) -> Iterator[AnswerPart]:
        yield from each(evidence.about(LIFECYCLE, probe, quantity), answer, asked)

    return ask


def of(probe: str, target: str, quantity: str, answer: Answering, asked: str) -> Question:
    def ask(evidence: ClaimEvidence) -> Iterator[AnswerPart]:
        yield answer(evidence.observed(LIFECYCLE, probe, target, quantity), asked)

    return ask


def is_value(value: float) -> Answering:
    return lambda seen, asked: always(seen, lambda one: one == value, asked)


def is_not(value: float) -> Answering:
    return lambda seen, asked: always(seen, lambda one: one != value, asked)


def shells_have_to_be_killed(evidence: ClaimEvidence) -> Iterator[AnswerPart]:
    """Every form but the one without a shell."""
    for seen in evidence.about(LIFECYCLE, "command-form", "exit_code"):
        if seen.target != "exec-form":
            yield always(seen, lambda code: code == KILLED, f"{seen.target} has to be killed")


def forwarded(case: str, quantity: str, wanted: float, asked: str) -> Question:
    """Targets are the case alone, or case/variant."""

    def ask(evidence: ClaimEvidence) -> Iterator[AnswerPart]:
        for seen in evidence.about(LIFECYCLE, "proxy-headers", quantity):
            if seen.target.partition("/")[0] == case:
                yield always(seen, lambda one: one == wanted, f"{asked} ({seen.target})")

    return ask


def start_up_times(evidence: ClaimEvidence) -> Iterator[str]:
    for quantity, words in (("first_200_s", "first 200"), ("all_workers_s", "all workers serving")):
        for seen in evidence.about(LIFECYCLE, "start-up", quantity):
            yield f"{seen.target}: {words} after {spread_of(seen)}"


def requests_failed(evidence: ClaimEvidence) -> Iterator[str]:
    for seen in evidence.about(LIFECYCLE, "worker-killed", "failed"):
        yield f"{seen.target}: {lost_none(seen, '').figure} while a worker was killed"


def ran_once_per(place: str, expected: Callable[[int], int], asked: str) -> Question:
    """Previous steps: how often they ran against how many workers there were."""

    def ask(evidence: ClaimEvidence) -> Iterator[AnswerPart]:
        seen = [o for o in evidence.about(LIFECYCLE, "previous-step", "runs") if o.target.startswith(place)]
        if not seen:
            raise NotMeasured(f"runs under previous-step in {place}")
        for runs in seen:
            workers = evidence.observed(LIFECYCLE, "previous-step", runs.target, "workers")
            pairs = [(r, w) for r, w in zip(runs.values, workers.values, strict=False) if r is not None and w]
            good = bool(pairs) and all(r == expected(round(w)) for r, w in pairs)
            yield AnswerPart(
                asked=f"{asked} ({runs.target.removeprefix(place)})",
                answer=Answer.YES if good else Answer.NO,
                figure=", ".join(f"{r:g} runs for {w:g} workers" for r, w in sorted(set(pairs)))
                or "it never ran",
            )

    return ask


CLAIMS = (
    Claim(
        id="L1",
        text="exec-form CMD shuts down gracefully, shell-form does not",
        said_by="guides and the official documentation",
        sources=(LIFECYCLE,),
        depends_on="the form",
        questions=(
            of("command-form", "exec-form", "exit_code", is_not(KILLED), "exec form exits by itself"),
            of("command-form", "exec-form", "lost_in_flight", lost_none, "exec form loses nothing in flight"),
            shells_have_to_be_killed,
        ),
    ),
    Claim(
        id="L2",
        text="on SIGTERM a server stops accepting, finishes what is in flight, runs its shutdown and exits",
        said_by="guides and the servers' documentation",
        sources=(LIFECYCLE,),
        depends_on="the server and the kind of request",
        questions=(
            of_every_target("graceful-stop", "lost_in_flight", lost_none, "requests in flight are finished"),
            of_every_target("graceful-stop", "lost_new", lost_none, "no new connection hangs or is reset"),
            of_every_target(
                "graceful-stop", "lost_idle", lost_none, "idle keep-alive connections lose nothing"
            ),
            of_every_target("graceful-stop", "lifespan_shutdown", is_value(1), "lifespan shutdown runs"),
            of_every_target("graceful-stop", "exit_code", is_not(KILLED), "it exits by itself"),
        ),
    ),
    Claim(
        id="L3",
        text="gunicorn restarts dead workers, and so does uvicorn now",
        said_by="guides; the servers' release notes",
        sources=(LIFECYCLE,),
        depends_on="the server",
        questions=(of_every_target("worker-killed", "replaced_s", happened, "a killed worker is replaced"),),
        details=(requests_failed,),
    ),
    Claim(
        id="L4",
        text="a stuck worker is killed and replaced",
        said_by='guides: "zombie worker"',
        sources=(LIFECYCLE,),
        depends_on="the server and the way of being stuck",
        questions=tuple(
            of_every_target(probe, "replaced_s", happened, f"replaced when {probe.removeprefix('stuck-')}")
            for probe in STUCK
        ),
    ),
    Claim(
        id="L5",
        text="with a single process restarts belong to the container platform",
        said_by="the official documentation",
        sources=(LIFECYCLE,),
        depends_on="the restart policy",
        questions=(
            of("process-killed", "restart-always", "back_s", happened, "it comes back with a restart policy"),
            of("process-killed", "restart-no", "back_s", never, "it stays away without one"),
        ),
    ),
    Claim(
        id="L6",
        text="with a dependency down readiness gives 503 while liveness stays 200, and both recover",
        said_by="guides",
        sources=(LIFECYCLE,),
        depends_on="the phase",
        questions=(
            of_every_target("dependency-down", "ready_status", is_value(503), "not ready while it is down"),
            of_every_target("dependency-down", "live_status", is_value(200), "alive while it is down"),
            of_every_target("dependency-hung", "ready_status", is_value(503), "not ready while it hangs"),
            of_every_target("dependency-hung", "live_status", is_value(200), "alive while it hangs"),
            of_every_target("dependency-back", "ready_status", is_value(200), "ready when it is back"),
            of_every_target("dependency-back", "live_status", is_value(200), "alive when it is back"),
        ),
    ),
    Claim(
        id="L7",
        text="reload (SIGHUP) changes the code without interrupting connections",
        said_by='guides: "restarts without interrupting connections"',
        sources=(LIFECYCLE,),
        depends_on="the server and the kind of request",
        questions=(
            of_every_target("reload-hup", "lost_keep_alive", lost_none, "keep-alive connections go on"),
            of_every_target("reload-hup", "lost_new", lost_none, "new connections are served"),
            of_every_target("reload-hup", "lost_in_flight", lost_none, "requests in flight are finished"),
            of_every_target("reload-hup", "new_code_served", is_value(1), "new code is served"),
        ),
    ),
    Claim(
        id="L8",
        text="previous steps run once before the workers, and once per worker if left to the app's start",
        said_by="the official documentation",
        sources=(LIFECYCLE,),
        depends_on="the place and the server",
        questions=(
            ran_once_per("entrypoint/", lambda _: 1, "once in the entrypoint"),
            ran_once_per("lifespan/", lambda workers: workers, "once per worker in the lifespan"),
        ),
        details=(start_up_times,),
    ),
    Claim(
        id="L9",
        text="memory per worker is additive, and over the limit the container is killed",
        said_by="the official documentation",
        sources=(LIFECYCLE,),
        depends_on="the server and the half of the claim",
        questions=(additive, predicted_kill),
    ),
    Claim(
        id="L10",
        text="a missing required setting makes it fail loudly at start",
        said_by="guides",
        sources=(LIFECYCLE,),
        depends_on="the server",
        questions=(
            of_every_target("missing-setting", "exit_s", happened, "it ends"),
            of_every_target("missing-setting", "exit_code", is_not(0), "with an exit code that is not 0"),
            of_every_target("missing-setting", "names_setting", is_value(1), "and names the setting"),
        ),
    ),
    Claim(
        id="L11",
        text="--proxy-headers gives scheme and client behind a proxy, and is not trusted from strangers",
        said_by="the official documentation",
        sources=(LIFECYCLE, "proxy-headers"),
        depends_on="who sends the headers",
        questions=(
            *(
                forwarded(case, f"{what}_forwarded", wanted, asked.format(what))
                for what in ("scheme", "client")
                for case, wanted, asked in (
                    ("trusted", 1, "the proxy's {} is taken"),
                    ("stranger", 0, "a stranger's {} is not"),
                    ("off", 0, "nobody's {} is taken when it is off"),
                )
            ),
            against(
                "uvicorn-standard", "uvicorn-no-proxy-headers", NO_WORSE, "no slower", preset="proxy-headers"
            ),
        ),
    ),
)
