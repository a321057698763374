"""Whether a trial's figures may be believed: the rules I1 to I9 of METHOD, one function each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from harness.measurement.accounting import RIGHT, cut_off, portless, refused, wrong_bodies, wrong_by_kind
from harness.measurement.inside import as_configured, same_requests, same_workers
from harness.measurement.littles_law import one_clock
from harness.measurement.quiet_machine import machine_awake, quiet_machine
from harness.measurement.trial_evidence import Evidence, Finding
from harness.model import OWN_COMMAND, OpenLoad, Scenario, Validity
from wire.messages import DROPPED, WRONG_BODY

MAX_ERROR_SHARE = 0.001
MAX_LATENESS_S, MAX_LATENESS_OF_SLO = 0.002, 0.05
MAX_OPEN_GENERATOR_SHARE = 0.97
"""Below that, how late requests leave tells how long the generator's own queue is (I3): arrivals at random
moments see what answers see. A core that is used up has no queue to speak of: it grows without end."""
BUSY_SHARE = 0.9
"""A core, or all the server can use, counts as used up from here."""
NEAR_CEILING = 0.95
MAX_OTHERS_SHARE = 0.10
MAX_ROUNDS_LEFT_OUT = 0.5

_TOLD = (
    (
        re.compile(
            r"^.*(?:Child process \[\d+\] died|was sent SIGKILL|Unexpected exit from worker).*$", re.M
        ),
        "workers were killed and replaced, as by a health check that a busy core keeps them from passing or "
        "for memory: give it more CPU or memory, or fewer workers",
        True,
    ),
    (
        re.compile(r"^.*can't start new thread.*$", re.M),
        "it could not start another thread: lower workers or threads",
        False,
    ),
    (
        re.compile(r"^.*worker_connections are not enough.*$", re.M),
        "nginx had no connection left for more clients: lower clients, two connections serve each",
        False,
    ),
    (
        re.compile(r"^.*Too many open files.*$", re.M),
        "it had no file descriptor left: lower clients, or raise nofile in the engine's default-ulimits",
        False,
    ),
    (
        re.compile(r"^.*No space left on device.*$", re.M),
        "a directory that it writes to was full (/tmp holds 256 MB, each of target.writable 512 MB): lower "
        "clients, or have it write less",
        False,
    ),
)
"""What servers say in their logs, what it means, and whether replacing workers on purpose says the same."""

NEED_A_LOOK_INSIDE = ("I2", "I7 workers", "I8", "I9")
"""Rules that only the wrapper around the app gives evidence for."""


class Judgement(NamedTuple):
    """A trial's word, a sentence for each broken rule, and the rules that there was no evidence for."""

    validity: Validity
    reasons: tuple[str, ...]
    not_checked: tuple[str, ...]


Rule = Callable[[Evidence], Iterator[Finding]]


def judge(evidence: Evidence) -> Judgement:
    """The worst word of all broken rules, and a sentence for each; VALID and none when all hold.

    Of a black box the rules that need a look inside are not checked. Nothing is assumed for them.
    """
    findings = [*evidence.of_search, *(finding for rule in RULES for finding in rule(evidence))]
    words = [word for word, _ in findings]
    worst = next((word for word in _WORST_FIRST if word in words), Validity.VALID)
    seen_inside = evidence.facts_before is not None and evidence.facts_after is not None
    return Judgement(
        worst, tuple(reason for _, reason in findings), () if seen_inside else NEED_A_LOOK_INSIDE
    )


def conservation(evidence: Evidence) -> Iterator[Finding]:
    """I1: every request that was scheduled ended in exactly one way."""
    load = evidence.load
    ended = load.ok + load.failed + load.timed_out + load.dropped + load.undrained
    if load.scheduled != ended:
        yield (
            Validity.INVALID,
            f"I1: {load.scheduled} requests scheduled, but {ended} accounted for ({load.ok} ok, "
            f"{load.failed} failed, {load.timed_out} timed out, {load.dropped} dropped, "
            f"{load.undrained} undrained): the generator lost count",
        )


def on_schedule(evidence: Evidence) -> Iterator[Finding]:
    """I3: the generator sent when it meant to, and sent everything."""
    lateness_s, allowed_s = evidence.metrics.send_lateness_p99_s, allowed_lateness_s(evidence.scenario)
    if lateness_s is not None and lateness_s > allowed_s:
        yield (
            Validity.GENERATOR_BOUND,
            f"I3: requests left {lateness_s * 1000:.1f} ms late at the 99th percentile "
            f"({allowed_s * 1000:.1f} ms allowed): lower the rate or give the generator more cores",
        )
    status = evidence.load.status
    dropped = int(np.count_nonzero(status == DROPPED))
    if dropped:
        yield (
            Validity.INVALID,
            f"I3: {dropped} of {status.size} requests were never sent, because too many were under way: the "
            f"server does not keep up with this rate",
        )


def generator_has_room(evidence: Evidence) -> Iterator[Finding]:
    """I4: the figure is the server's limit, not the generator's.

    Under closed load a generator is meant to be busy. It is the limit when its core is used up while
    the server still has cores to spare, or when it is as fast as it ever gets.
    """
    if count := portless(evidence.load):
        yield (
            Validity.GENERATOR_BOUND,
            f"I4: {count} requests found no local port: the kernel keeps the ports of ended connections for "
            f"60 s. Lower the rate, or widen net.ipv4.ip_local_port_range",
        )
    if isinstance(evidence.scenario.load, OpenLoad):
        busiest = float(evidence.load.generator_cpu_share.max(initial=0.0))
        if busiest > MAX_OPEN_GENERATOR_SHARE:
            yield (
                Validity.GENERATOR_BOUND,
                f"I4: a generator process used {busiest:.0%} of its core within a second "
                f"({MAX_OPEN_GENERATOR_SHARE:.0%} allowed): its own queue is in the latencies",
            )
        return
    metrics, usable_cores = evidence.metrics, _usable_cores(evidence)
    at_least = f"at least {metrics.throughput_per_s:.0f} requests/s, generator-limited"
    if metrics.generator_cpu_share >= BUSY_SHARE and metrics.cpu_cores < BUSY_SHARE * usable_cores:
        yield (
            Validity.GENERATOR_BOUND,
            f"I4: {at_least}: the generator used {metrics.generator_cpu_share:.0%} of its core, the server "
            f"{metrics.cpu_cores:.2f} of {usable_cores:g} cores",
        )
    ceiling_per_s = evidence.ceiling_per_s
    if ceiling_per_s is not None and metrics.throughput_per_s >= NEAR_CEILING * ceiling_per_s:
        yield (
            Validity.GENERATOR_BOUND,
            f"I4: {at_least}: it reaches {ceiling_per_s:.0f} requests/s on a server that does nothing",
        )


def enough_rounds(evidence: Evidence) -> Iterator[Finding]:
    """I5: most of the slices were quiet; few that are left are those of lucky moments."""
    left_out = sum(evidence.rounds_left_out.values())
    if evidence.rounds and left_out > MAX_ROUNDS_LEFT_OUT * evidence.rounds:
        why = ", ".join(f"{count} for {cause}" for cause, count in evidence.rounds_left_out.items())
        yield (
            Validity.NOISY,
            f"I5: {left_out} of {evidence.rounds} rounds were disturbed ({why}; "
            f"{MAX_ROUNDS_LEFT_OUT:.0%} allowed): measure again on a quieter machine",
        )


def server_alone(evidence: Evidence) -> Iterator[Finding]:
    """I5: the server's cores worked for the server. What else they did is time that it had to wait for.

    The kernel's own work for the server's requests stays far below the limit.
    """
    if evidence.busy_s is None or len(evidence.readings) < 2:
        return
    first, last = evidence.busy_over or (evidence.readings[0], evidence.readings[-1])
    ours_s = last.cpu_s - first.cpu_s + last.neighbours_cpu_s - first.neighbours_cpu_s
    others_s = evidence.busy_s - ours_s
    share = others_s / ((last.at_s - first.at_s) * evidence.server_cpus)
    if share > MAX_OTHERS_SHARE:
        yield (
            Validity.NOISY,
            f"I5: other programs used {share:.0%} of the server's cores ({MAX_OTHERS_SHARE:.0%} allowed): "
            f"end them, or give the server other cores",
        )


def right_answers(evidence: Evidence) -> Iterator[Finding]:
    """I6: the answers were right. Another program's answer is one too many; failures may be 0.1 %.

    What a level of the variant costs is a result, as long as it answers some: what it refuses because it
    limits its concurrency, and what it cuts off because it replaces its workers.
    """
    status = evidence.load.status
    wrong = int(np.count_nonzero(status != RIGHT))
    # Those are the generator's own (I4).
    failed = wrong - portless(evidence.load)
    if evidence.variant.limit_concurrency is not None:
        failed -= refused(evidence.load)
    if evidence.variant.planned_worker_changes:
        failed -= cut_off(evidence.load)
    if wrong == status.size:
        yield (
            Validity.INVALID,
            f"I6: wrong or missing response to all {status.size} requests: {wrong_by_kind(evidence.load)}",
        )
    elif failed > MAX_ERROR_SHARE * status.size or (status == WRONG_BODY).any():
        yield (
            Validity.INVALID,
            f"I6: wrong or missing response to {failed} of {status.size} requests "
            f"({failed / status.size:.2%}): {wrong_by_kind(evidence.load)}",
        )
    elif count := wrong_bodies(evidence.load):
        yield Validity.INVALID, f"I6: {count} answers with a wrong body outside of what was measured"


def same_server(evidence: Evidence) -> Iterator[Finding]:
    """I7: the processes that started the trial also ended it, but for those replaced on purpose."""
    yield from same_workers(evidence)
    state = evidence.state
    kills = [reading.oom_kills for reading in evidence.readings]
    if state.oom_killed or (kills and kills[-1] > 0):
        yield (
            Validity.INVALID,
            "I7: the kernel killed a process of the server for memory: raise memory_mib or lower the workers",
        )
    if not state.running:
        yield (
            Validity.INVALID,
            f"I7: the server ended during the trial with exit code {state.exit_code}: read its server.log",
        )


def told_by_the_server(evidence: Evidence) -> Iterator[Finding]:
    """I7: the server's own log tells of nothing that kept it from serving as it was to."""
    for pattern, sentence, on_purpose in _TOLD:
        found = pattern.findall(evidence.log)
        if found and not (on_purpose and evidence.variant.planned_worker_changes):
            yield Validity.INVALID, f"I7: {sentence} (its log, {len(found)} times: {found[-1].strip()[:200]})"


RULES: tuple[Rule, ...] = (
    conservation,
    same_requests,
    on_schedule,
    generator_has_room,
    quiet_machine,
    machine_awake,
    enough_rounds,
    server_alone,
    right_answers,
    same_server,
    told_by_the_server,
    one_clock,
    as_configured,
)

_WORST_FIRST = (Validity.INVALID, Validity.NOISY, Validity.GENERATOR_BOUND)


def allowed_lateness_s(scenario: Scenario) -> float:
    """At the 99th percentile."""
    return max(MAX_LATENESS_S, MAX_LATENESS_OF_SLO * scenario.slo_ms / 1000)


def _usable_cores(evidence: Evidence) -> float:
    """A worker is one Python process and uses one core; cpuset and quota cap them all.

    How many processes an own command starts is not known: it may use every core.
    """
    variant = evidence.variant
    quota = variant.cpu_quota if variant.cpu_quota is not None else float(evidence.server_cpus)
    processes = evidence.server_cpus if variant.recipe == OWN_COMMAND else variant.workers
    return min(evidence.server_cpus, quota, processes)
