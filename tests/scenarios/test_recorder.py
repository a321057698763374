"""The bookkeeping of slots, without any network."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scenarios.loadkit.recorder import Recorder
from scenarios.loadkit.window import Span
from tests.scenarios.agent_process import assert_conserved
from wire.messages import DISCONNECTED, DROPPED, PORTLESS, REFUSED, TIMED_OUT, UNDRAINED, WRONG_BODY

STATUSES = (200, 404, 500, TIMED_OUT, DISCONNECTED, REFUSED, PORTLESS, WRONG_BODY, DROPPED, UNDRAINED)


def span(start_s: float, end_s: float, *, ramp_s: float = 0.0) -> Span:
    return Span(start_s=start_s, measure_s=start_s + ramp_s, end_s=end_s)


def record(statuses: list[int]) -> Recorder:
    recorder = Recorder(float(slot) for slot in range(len(statuses)))
    for slot, status in enumerate(statuses):
        if status != DROPPED:
            recorder.send(slot, slot + 0.25)
        if status not in (DROPPED, UNDRAINED):
            recorder.finish(slot, slot + 0.5, status)
    return recorder


@given(st.lists(st.sampled_from(STATUSES), max_size=200), st.integers(1, 2**63))
def test_every_slot_is_counted_once_and_answered_ids_are_summed(statuses: list[int], first_id: int) -> None:
    totals = record(statuses).totals(first_id)
    assert_conserved(asdict(totals))
    assert totals.scheduled == len(statuses)
    assert totals.ok == statuses.count(200)
    answered = [first_id + slot for slot, status in enumerate(statuses) if status > 0 or status == WRONG_BODY]
    assert totals.id_sum == sum(answered) % 2**64
    xor = 0
    for request_id in answered:
        xor ^= request_id
    assert totals.id_xor == xor


def test_times_are_nan_where_nothing_was_sent_or_came_back() -> None:
    window = record(list(STATUSES)).measured([span(0.0, 100.0)])
    unsent = window["status"] == DROPPED
    np.testing.assert_array_equal(np.isnan(window["sent_s"]), unsent)
    unanswered = np.isin(window["status"], (TIMED_OUT, DISCONNECTED, REFUSED, PORTLESS, DROPPED, UNDRAINED))
    np.testing.assert_array_equal(np.isnan(window["finished_s"]), unanswered)


def test_the_window_is_half_open_and_holds_what_began_or_ended_in_it() -> None:
    recorder = Recorder([1.0, 1.5, 2.0, 4.0, 5.0])
    for slot, finished_s in enumerate((1.9, 2.1, 3.0, 6.0, 5.5)):
        recorder.send(slot, recorder.intended_s[slot] + 0.25)
        recorder.finish(slot, finished_s, 200)
    window = recorder.measured([span(2.0, 5.0)])
    assert window["intended_s"].tolist() == [1.5, 2.0, 4.0]
    assert window["sent_s"].tolist() == [1.75, 2.25, 4.25]
    assert window["status"].dtype == np.int16


def test_of_several_spans_what_lies_between_is_left_out_and_answers_are_counted_by_span() -> None:
    recorder = Recorder([1.0, 1.95, 2.5, 3.1, 3.6, 5.0])
    for slot, finished_s in enumerate((1.5, 2.2, 2.7, 3.4, 3.9)):
        recorder.send(slot, recorder.intended_s[slot])
        recorder.finish(slot, finished_s, 404 if slot == 3 else 200)
    found = recorder.measured([span(0.9, 2.0, ramp_s=0.5), span(3.0, 4.0, ramp_s=0.5)])
    # Of the first span 1.4 to 2 is measured, of the second 3.5 to 4.
    assert found["intended_s"].tolist() == [1.0, 1.95, 3.6]
    assert found["span_start_s"].tolist() == [1.4, 3.5]
    assert found["span_end_s"].tolist() == [2.0, 4.0]
    # The drain of a span is its own: the answer at 2.7 was to a request of the first.
    assert found["span_answered"].tolist() == [3.0, 2.0]


def test_a_request_of_a_closed_loop_is_intended_when_it_is_sent() -> None:
    recorder = Recorder()
    assert [recorder.add(1.5), recorder.add(2.5)] == [0, 1]
    recorder.finish(0, 2.0, 200)
    window = recorder.measured([span(0.0, 10.0)])
    assert window["intended_s"].tolist() == window["sent_s"].tolist() == [1.5, 2.5]
    assert window["status"].tolist() == [200, UNDRAINED]
