"""The rules that need a look inside the app (I2, I7's workers, I9): of a black box they find nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.measurement.accounting import (
    reached,
    refused,
    served,
    served_by_the_living,
    served_ids,
    unanswered,
    worker_pids,
)
from harness.measurement.stack import differences
from harness.measurement.trial_evidence import Evidence, Finding
from harness.model import Validity


def same_requests(evidence: Evidence) -> Iterator[Finding]:
    """I2: the server counted the requests the client saw answered.

    A request that timed out, was cut off or never drained may or may not have reached the app. The
    app must have counted every right answer, and beyond the answered ones no more than these. Where
    there are none, the sum and the xor of the ids must be the client's too. A worker that died
    took its count along; I7 then says so. Where workers are replaced on purpose, only the upper bound
    is left. A server that limits its concurrency refuses requests before the app sees them.
    """
    load, before, after = evidence.load, evidence.facts_before, evidence.facts_after
    if before is None or after is None:
        return
    at_least, at_most = reached(load)
    if worker_pids(before) != worker_pids(after):
        if evidence.variant.planned_worker_changes:
            yield from _no_more_than(at_most, served_by_the_living(before, after))
        return
    count = served(before, after)
    ids_may_differ = unanswered(load) or (evidence.variant.limit_concurrency is not None and refused(load))
    if not at_least <= count <= at_most:
        expected = f"{at_least}" if at_least == at_most else f"{at_least} to {at_most}"
        yield (
            Validity.INVALID,
            f"I2: the server counted {count} requests where the client's answers allow {expected}: "
            f"requests were lost, repeated or sent by someone else",
        )
    elif served_ids(before, after) != (load.id_sum, load.id_xor) and not ids_may_differ:
        yield (
            Validity.INVALID,
            f"I2: the {count} requests that the server counted are not those that the client saw answered "
            f"(their ids differ): requests were lost and others repeated",
        )


def _no_more_than(at_most: int, count: int) -> Iterator[Finding]:
    if count > at_most:
        yield (
            Validity.INVALID,
            f"I2: the workers of the end counted {count} requests where the client's answers allow "
            f"{at_most} at most: requests were repeated or sent by someone else",
        )


def same_workers(evidence: Evidence) -> Iterator[Finding]:
    if evidence.facts_before is None or evidence.facts_after is None:
        return
    before, after = worker_pids(evidence.facts_before), worker_pids(evidence.facts_after)
    if before != after and not evidence.variant.planned_worker_changes:
        yield (
            Validity.INVALID,
            f"I7: worker pids changed from {_listed(before)} to {_listed(after)}: a worker died or was "
            f"replaced during the trial",
        )


def as_configured(evidence: Evidence) -> Iterator[Finding]:
    """I9: the server says from inside that it is the variant under test."""
    variant, facts, after = evidence.variant, evidence.facts_before, evidence.facts_after
    if facts is None or after is None:
        return
    told: list[tuple[str, object, object]] = [
        ("variant", facts.variant_id, variant.id),
        ("variant after the load", after.variant_id, variant.id),
        ("worker count", len(facts.workers), variant.workers),
        ("access log", facts.access_log, variant.access_log),
    ]
    told.append(("number of CPUs allowed", facts.cpus.affinity, evidence.server_cpus))
    if variant.cpu_quota is not None:
        quota = min(variant.cpu_quota, evidence.server_cpus)
        told.append(("CPU quota", round(facts.cpus.quota, 3), round(quota, 3)))
    if variant.memory_mib is not None and facts.memory_limit_bytes is not None:
        told.append(("memory limit in MiB", facts.memory_limit_bytes / 2**20, variant.memory_mib))
    if facts.keep_alive_s is not None:
        told.append(("keep-alive in seconds", facts.keep_alive_s, variant.keep_alive_s))
    for name, inside, wanted in told:
        if inside != wanted:
            yield Validity.INVALID, f"I9: {name} is {inside} inside the server, {wanted} in the matrix"
    if evidence.expected_stack is None:
        return
    for name, found, wanted in differences(facts, evidence.expected_stack):
        yield (
            Validity.INVALID,
            f"I9: {name} is {found} inside the server, where {variant.recipe} should give {wanted}",
        )


def _listed(things: Iterable[object]) -> str:
    return ", ".join(map(str, things)) or "none"
