"""Loads whose requests may each be several HTTP exchanges, as those of a Locust file."""

from dataclasses import replace

import numpy as np
import pytest

from harness.measurement.accounting import reached, unanswered, wrong_by_kind
from harness.measurement.load import LoadRecord
from harness.measurement.load_shares import merge
from harness.model import Validity
from tests.measurement.test_load_shares import result
from tests.measurement.test_validity import check, evidence, facts, judge, worker
from tests.samples import a_load
from wire.messages import RAISED


def with_redirects(requests: int = 300, sent: int | None = None) -> LoadRecord:
    """Each request is two exchanges; ids 1 to 2 n."""
    ids = np.arange(1, 2 * requests + 1)
    return replace(
        a_load(requests),
        exchanges=2 * requests,
        exchanges_sent=2 * requests if sent is None else sent,
        id_sum=int(ids.sum()),
        id_xor=int(np.bitwise_xor.reduce(ids)),
    )


def test_i2_counts_exchanges_where_they_are_told() -> None:
    load = with_redirects()
    after = facts(worker(requests=600, id_sum=load.id_sum, id_xor=load.id_xor))
    assert judge(evidence(load, facts_after=after))[:2] == (Validity.VALID, ())


def test_i2_a_request_for_each_event_would_be_too_few_then() -> None:
    load = with_redirects()
    after = facts(worker(requests=300, id_sum=load.id_sum, id_xor=load.id_xor))
    case = evidence(load, facts_after=after)
    check(Validity.INVALID, "counted 300 requests where the client's answers allow 600", case)


@pytest.mark.parametrize("served", [600, 602])
def test_i2_an_exchange_without_an_answer_may_or_may_not_have_reached_the_app(served: int) -> None:
    after = facts(worker(requests=served, id_sum=1, id_xor=1))
    assert judge(evidence(with_redirects(sent=602), facts_after=after))[0] is Validity.VALID


def test_i2_more_than_were_sent_are_too_many() -> None:
    after = facts(worker(requests=603, id_sum=1, id_xor=1))
    check(Validity.INVALID, "allow 600 to 602", evidence(with_redirects(sent=602), facts_after=after))


def test_a_task_that_raises_is_named() -> None:
    status = np.array([200, RAISED, RAISED], dtype=np.int16)
    assert wrong_by_kind(replace(a_load(3), status=status)) == "2 x raised by a task"


def test_unanswered_are_the_exchanges_that_were_sent_and_not_answered() -> None:
    assert unanswered(with_redirects(sent=602)) == 2
    assert reached(with_redirects(sent=602)) == (600, 602)


def test_agents_and_earlier_loads_add_up() -> None:
    results = [result(10.5, exchanges=3, exchanges_sent=4), result(10.5, exchanges=5, exchanges_sent=5)]
    first = merge(results)
    assert (first.exchanges, first.exchanges_sent) == (8, 9)
    again = merge(results, earlier=first)
    assert (again.exchanges, again.exchanges_sent) == (16, 18)


def test_loads_of_the_lean_user_tell_none() -> None:
    assert merge([result(10.5)]).exchanges is None
