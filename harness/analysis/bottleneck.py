"""What limits a cell: one name, from signals of the server and of the machine, never from the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.analysis.signs import DELAYED_ACK_S, MOSTLY, Signs, measured, shown
from harness.analysis.wording import percent
from harness.findings import Bottleneck, Limit
from harness.model import OWN_COMMAND, ClosedLoad, Scenario, TrialRecord, Validity, Variant
from harness.signals import WorkerUse

SATURATED = 0.8
"""A server, or a worker, that uses less than this share of its CPUs waits for something else."""
THROTTLED = 0.05
"""Of the quota's periods in which the server ran: less is a burst that few requests notice."""
NEAR_MEMORY_LIMIT = 0.95
"""Of the memory limit, by working set: what can be dropped at once is left out of it, so from here on the
kernel reclaims pages that are in use."""
POOL_FULL = 0.8
"""Of the threads, on average: nearly every look found all of them busy, but for the load's first and last."""
QUEUED_CALLS = 1.0
"""Calls that wait for a thread, on average: with fewer, one more thread would mostly stand idle."""
LAGGING_S = 0.01
"""Mean lag of the event loop: what every request waits before anybody looks at it. A loop whose handlers
all await stays around 1 ms (epoll rounds its timers up to whole milliseconds)."""
STALLED = 0.05
"""Share of the time in which the loop was blocked for more than 50 ms: more than a p95 can hide."""
UNEVEN = 1.5
"""A worker's share of the requests, or of the CPU, against an even one."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`limit` is the answer where `holds`, and no rule before it."""

    limit: Bottleneck
    holds: Callable[[Signs], bool]
    meaning: str


RULES = (
    # The client comes first: behind a slow one, no signal of the server says what the server could do.
    Rule(
        Bottleneck.GENERATOR,
        lambda signs: signs.word is Validity.GENERATOR_BOUND,
        "The load generator was at its limit (rules I3 and I4), so the server's is not known.",
    ),
    # A server short of memory also burns CPU and stalls: those are symptoms.
    Rule(
        Bottleneck.MEMORY,
        lambda signs: signs.oom_killed or signs.memory_share >= NEAR_MEMORY_LIMIT,
        f"Killed for memory, or a working set of {NEAR_MEMORY_LIMIT:.0%} of the limit or more.",
    ),
    # A throttled server shows loop lag and queues of every kind, and by its quota may look saturated too.
    Rule(
        Bottleneck.CPU_QUOTA,
        lambda signs: signs.throttled >= THROTTLED or signs.held_up_by_quota,
        f"Throttled in {percent(THROTTLED)} or more of the quota's periods in which it had something to run, "
        f"or for {percent(MOSTLY)} or more of the time in which its event loop stood still.",
    ),
    # With all cores used up, lag and full pools are queues for the CPU, and no other split of the requests
    # would help.
    Rule(
        Bottleneck.SERVER_CPU,
        lambda signs: signs.cpu_share >= SATURATED,
        f"At least {percent(SATURATED)} of the CPU that the cores and the workers allow is used.",
    ),
    # The same, of cores that the load generator also uses: nothing but it holds the server back.
    Rule(
        Bottleneck.SHARED_CORES,
        lambda signs: signs.cpu_cores >= SATURATED * signs.left_cores,
        f"At least {percent(SATURATED)} of what the load generator leaves of the cores they share is used.",
    ),
    # Some workers are at a limit of their own while others are not, and have more than their share.
    Rule(
        Bottleneck.ACCEPT_SKEW,
        lambda signs: signs.uneven >= UNEVEN and 0 < sum(map(limited, signs.workers)) < len(signs.workers),
        f"A worker at its limit (CPU, threads or event loop) with {UNEVEN:g} times its share of the "
        f"requests or more, next to workers with room.",
    ),
    # Calls that wait for a thread leave the loop free, so a full pool shows no lag; the reverse may be.
    Rule(
        Bottleneck.THREAD_POOL,
        lambda signs: any(map(pool_full, signs.workers)),
        f"{percent(POOL_FULL)} or more of the threads for sync endpoints busy, and calls waiting for one.",
    ),
    Rule(
        Bottleneck.EVENT_LOOP,
        lambda signs: any(map(loop_blocked, signs.workers)),
        f"The event loop {LAGGING_S * 1000:.0f} ms late on average, or blocked for more than 50 ms at once "
        f"during {percent(STALLED)} of the time: something computes or sleeps in it.",
    ),
    # Neither the server nor the app is at work meanwhile: the kernel holds the answer back.
    Rule(
        Bottleneck.DELAYED_ACK,
        lambda signs: signs.held_back,
        f"Outside the app, half of the answers take {DELAYED_ACK_S[0] * 1000:.0f} to "
        f"{DELAYED_ACK_S[1] * 1000:.0f} ms: the server sends an answer in two parts and without TCP_NODELAY, "
        "so the kernel keeps the second part until the client's delayed ACK of the first, 40 ms later.",
    ),
    # Nothing of the server's own is used up, and yet requests stay inside it for long.
    Rule(
        Bottleneck.DOWNSTREAM,
        lambda signs: signs.closed and signs.told and signs.waits,
        "Requests spend most of their time inside the app waiting for something that is not its own: "
        "more clients would get more throughput.",
    ),
    Rule(
        Bottleneck.NONE,
        lambda signs: signs.told,
        "The server had room for more than this load asked of it.",
    ),
    Rule(
        Bottleneck.UNKNOWN,
        lambda _: True,
        "No signals of the event loop and the threads, or no trial was VALID or GENERATOR-BOUND.",
    ),
)
"""In this order; the first that holds names the bottleneck."""


def pool_full(worker: WorkerUse) -> bool:
    if not worker.thread_limit or worker.threads_busy is None or worker.threads_waiting is None:
        return False
    return worker.threads_busy >= POOL_FULL * worker.thread_limit and worker.threads_waiting >= QUEUED_CALLS


def loop_blocked(worker: WorkerUse) -> bool:
    return (worker.lag_mean_s or 0.0) >= LAGGING_S or (worker.stalled_share or 0.0) >= STALLED


def limited(worker: WorkerUse) -> bool:
    return worker.cpu_cores >= SATURATED or pool_full(worker) or loop_blocked(worker)


def limit_of(
    records: Sequence[TrialRecord],
    variant: Variant,
    scenario: Scenario,
    *,
    word: Validity,
    server_cpus: int,
    shared_cpus: int = 0,
) -> Limit:
    """What limits a cell, by the trials of it that carry its word, if that is VALID or GENERATOR-BOUND.

    `server_cpus` counts the cores the server is pinned to, `shared_cpus` those that the generator uses too.
    """
    quota = server_cpus if variant.cpu_quota is None else min(server_cpus, variant.cpu_quota)
    unmeasured = Signs(
        word=word,
        oom_killed=any(record.oom_killed for record in records),
        closed=isinstance(scenario.load, ClosedLoad),
        # A worker is one Python process: one core, whatever its threads do. How many processes an own
        # command starts is not known.
        usable_cores=quota if variant.recipe == OWN_COMMAND else min(quota, variant.workers),
        server_cpus=server_cpus,
        shared_cpus=shared_cpus,
        memory_limit_bytes=variant.memory_mib * 2**20 if variant.memory_mib else None,
    )
    signs = measured(unmeasured, records)
    return Limit(
        bottleneck=next(rule.limit for rule in RULES if rule.holds(signs)),
        signals=dict(shown(signs)) if signs.measured else {},
    )
