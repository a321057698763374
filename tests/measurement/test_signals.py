"""What two probes and the client's record come to, and rule I8 on it."""

from __future__ import annotations

from dataclasses import replace
from math import nan
from typing import Any

import pytest

from harness.deployment import ServerFacts, WorkerFacts
from harness.measurement.load import LoadRecord
from harness.measurement.signals import trial_signals
from harness.measurement.validity import judge
from harness.model import Validity
from harness.records import trial_from_json, trial_to_json
from harness.signals import TrialSignals, WorkerSignals
from tests.measurement.test_validity import evidence
from tests.samples import a_load, a_record, some_facts
from wire.messages import TIMED_OUT


def worker(pid: int, requests: int = 0, **signals: Any) -> WorkerFacts:
    values: dict[str, Any] = {
        "at_s": 100.0,
        "cpu_s": 1.0,
        "samples": 10,
        "lag_s": 0.01,
        "stalled_s": 0.0,
        "lag_max_s": 0.005,
        "thread_limit": 40,
        "threads_busy": 0,
        "threads_waiting": 0,
        "in_flight_s": 2.0,
    }
    told = WorkerSignals(**{**values, **signals})
    return WorkerFacts(pid=pid, requests=requests, id_sum=0, id_xor=0, in_flight=0, signals=told)


def facts(*workers: WorkerFacts) -> ServerFacts:
    return some_facts(workers=workers)


def signals(
    before: ServerFacts, after: ServerFacts, load: LoadRecord | None = None, cpu_cores: float = 0.9
) -> TrialSignals:
    found = trial_signals(before, after, load or replace(a_load(), in_flight_s=1.5), cpu_cores=cpu_cores)
    assert found is not None
    return found


def test_shares_cores_and_means_are_those_between_the_probes() -> None:
    before = facts(worker(7), worker(8))
    after = facts(
        worker(7, requests=75, at_s=104.0, cpu_s=1.5),
        worker(
            8,
            requests=225,
            at_s=104.0,
            cpu_s=2.0,
            samples=60,
            lag_s=1.01,
            stalled_s=0.8,
            lag_max_s=0.3,
            threads_busy=2000,
            threads_waiting=100,
            in_flight_s=3.0,
        ),
    )
    found = signals(before, after)
    busy, idle = found.workers
    assert (busy.request_share, idle.request_share) == (0.75, 0.25)
    assert (busy.cpu_cores, idle.cpu_cores) == (pytest.approx(0.6), pytest.approx(0.3))
    assert (busy.lag_mean_s, busy.lag_worst_s) == (pytest.approx(0.02), 0.3)
    assert (busy.stalled_share, busy.threads_busy, busy.threads_waiting) == (pytest.approx(0.2), 40.0, 2.0)
    assert (idle.lag_mean_s, idle.lag_worst_s, idle.threads_busy) == (None, None, None)
    assert (found.in_flight_server, found.in_flight_client) == (0.25, 0.375)
    assert found.inside_share == pytest.approx(2 / 3)


def test_a_longest_lag_from_before_the_load_bounds_that_of_the_load() -> None:
    before, after = (
        facts(worker(7, lag_max_s=0.4)),
        facts(worker(7, at_s=104.0, samples=20, lag_s=0.03, lag_max_s=0.4)),
    )
    (use,) = signals(before, after).workers
    assert use.lag_worst_s == pytest.approx(0.02)


@pytest.mark.parametrize(
    "after",
    [
        facts(worker(8)),
        facts(replace(worker(7), signals=None)),
    ],
    ids=["another worker", "one that tells nothing"],
)
def test_there_are_no_signals_without_both_ends_of_every_worker(after: ServerFacts) -> None:
    assert trial_signals(facts(worker(7)), after, a_load(), cpu_cores=1.0) is None


@pytest.mark.parametrize(
    "load",
    [
        replace(a_load(), in_flight_s=nan),
        replace(a_load(), in_flight_s=1.0, timed_out=1),
        replace(a_load(), in_flight_s=1.0, failed=1, status=a_load().status.clip(max=TIMED_OUT)),
    ],
    ids=["an old record", "a request that timed out", "one that was cut off"],
)
def test_the_clients_time_in_flight_is_not_told_where_it_is_not_known(load: LoadRecord) -> None:
    assert signals(facts(worker(7)), facts(worker(7, at_s=104.0)), load).in_flight_client is None


def test_a_server_that_does_not_count_requests_in_flight_still_tells_the_rest() -> None:
    before, after = facts(worker(7, in_flight_s=None)), facts(worker(7, at_s=104.0, samples=20))
    found = signals(before, after)
    assert found.in_flight_server is None
    assert found.inside_share is None
    assert found.workers[0].lag_mean_s is not None


@pytest.mark.parametrize(
    ("inside", "under_way", "broken"),
    [(3.0, 16.0, False), (16.0, 16.0, False), (17.2, 16.0, False), (17.4, 16.0, True), (2.0, 0.5, True)],
)
def test_i8_no_more_requests_are_inside_the_app_than_the_client_has_under_way(
    inside: float, under_way: float, broken: bool
) -> None:
    one = signals(facts(worker(7)), facts(worker(7, at_s=104.0)))
    told = replace(one, in_flight_server=inside, in_flight_client=under_way)
    word, reasons, _ = judge(evidence(signals=told))
    assert word is (Validity.INVALID if broken else Validity.VALID)
    assert [reason.startswith("I8: ") for reason in reasons] == [True] * broken


def test_i8_is_not_judged_on_half_of_its_evidence() -> None:
    one = signals(facts(worker(7, in_flight_s=None)), facts(worker(7, at_s=104.0)))
    assert judge(evidence(signals=one))[:2] == (Validity.VALID, ())


def test_records_with_signals_come_back_and_old_ones_without() -> None:
    told = signals(facts(worker(7)), facts(worker(7, at_s=104.0, samples=20)))
    record = a_record(signals=told, facts=facts(worker(7)))
    assert trial_from_json(trial_to_json(record)) == record
    old = trial_to_json(a_record()).replace(b',"signals":null', b"")
    assert b"signals" not in old
    assert trial_from_json(old) == a_record()
