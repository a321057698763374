"""What is left out of a load in slices, and what it comes to without."""

from dataclasses import replace

import numpy as np
import pytest

from harness.deployment import ResourceReading
from harness.measurement.load import LoadRecord
from harness.measurement.metrics import idle_cpu_cores, trial_metrics
from harness.measurement.rounds import NEIGHBOURS, STEAL, disturbances, without
from harness.measurement.validity import judge, server_alone
from harness.model import TrialMetrics, Validity
from tests.measurement.test_validity import evidence
from tests.samples import ITEMS, a_load

SLICES, ROUND_S, SLICE_S, RAMP_S = 10, 0.4, 0.1, 0.01
CPU_S, IDLE_S, NEIGHBOURS_S = 0.09, 0.002, 0.0004


def readings(**changed: dict[int, float]) -> tuple[ResourceReading, ...]:
    """Before and after each slice; `changed` adds to the growth of a counter within some of them."""
    found: list[ResourceReading] = []
    cpu_s = neighbours_s = steal_s = 0.0
    for number in range(SLICES):
        begin_s = 100.0 + ROUND_S * number
        for at_s in (begin_s - 0.005, begin_s + SLICE_S + 0.005):
            if len(found) % 2:
                cpu_s += CPU_S + changed.get("cpu_s", {}).get(number, 0.0)
                neighbours_s += NEIGHBOURS_S + changed.get("neighbours_cpu_s", {}).get(number, 0.0)
                steal_s += changed.get("steal_s", {}).get(number, 0.0)
            elif found:
                cpu_s += IDLE_S
                neighbours_s += 0.2
            found.append(
                ResourceReading(
                    at_s=at_s,
                    cpu_s=cpu_s,
                    throttled_s=0.0,
                    working_set_bytes=60 << 20,
                    oom_kills=0,
                    steal_s=steal_s,
                    neighbours_cpu_s=neighbours_s,
                )
            )
    return tuple(found)


def sliced_load(per_slice: int = 100) -> LoadRecord:
    """In each slice `per_slice` requests, of which a tenth fall into the ramp and are not in the record."""
    begins_s = 100.0 + ROUND_S * np.arange(SLICES)
    offsets_s = RAMP_S + np.arange(9 * per_slice // 10) * (SLICE_S - RAMP_S) / (9 * per_slice // 10)
    intended_s = (begins_s[:, None] + offsets_s).ravel()
    return replace(
        a_load(),
        window_start_s=float(begins_s[0] + RAMP_S),
        window_end_s=float(begins_s[-1] + SLICE_S),
        intended_s=intended_s,
        sent_s=intended_s,
        finished_s=intended_s + 1e-4,
        status=np.full(intended_s.size, 200, dtype=np.int16),
        generator_cpu_share=np.full((1, SLICES), 0.4),
        span_start_s=begins_s + RAMP_S,
        span_end_s=begins_s + SLICE_S,
        span_answered=np.full(SLICES, float(per_slice)),
    )


def metrics(load: LoadRecord, looks: tuple[ResourceReading, ...]) -> TrialMetrics:
    return trial_metrics(load, looks, scenario=ITEMS, before=None, after=None)


def test_rates_are_those_of_its_own_slices_however_long_the_others_took() -> None:
    found = metrics(sliced_load(), readings())
    assert found.duration_s == pytest.approx(SLICES * (SLICE_S - RAMP_S))
    assert found.throughput_per_s == pytest.approx(1000, rel=0.002)
    # 90 ms for the 100 requests of a slice, ramp and drain included.
    assert found.cpu_ms_per_request == pytest.approx(0.9)
    assert found.cpu_cores == pytest.approx(0.9, rel=0.002)
    # 2 ms between one slice's drain and the next one's begin.
    assert found.idle_cpu_cores == pytest.approx(IDLE_S / (ROUND_S - SLICE_S - 0.01))
    assert found.latency_p50_s == pytest.approx(1e-4)


def test_one_slice_alone_tells_nothing_of_idleness() -> None:
    assert idle_cpu_cores(readings()[:2]) is None


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, {}),
        # Allowed: 5 % of 0.11 s.
        ({"steal_s": {2: 0.005, 3: 0.006}}, {3: STEAL}),
        # Allowed: 3 % of 0.11 s on one core, beyond what they always use.
        ({"neighbours_cpu_s": {4: 0.0032, 7: 0.0034}}, {7: NEIGHBOURS}),
        # How much the server itself works is never a reason.
        ({"cpu_s": {5: 0.1}}, {}),
    ],
)
def test_only_what_comes_from_outside_disturbs(
    changed: dict[str, dict[int, float]], found: dict[int, str]
) -> None:
    numbers = list(range(SLICES))
    assert disturbances([(numbers, readings()), (numbers, readings(**changed))], server_cpus=1) == found


def test_neighbours_that_always_use_something_are_no_disturbance() -> None:
    always = readings(neighbours_cpu_s=dict.fromkeys(range(SLICES), 0.01))
    assert disturbances([(range(SLICES), always)], server_cpus=1) == {}


def test_what_disturbs_a_trial_with_few_turns_counts_in_the_round_of_that_turn() -> None:
    rounds = [7 * number for number in range(SLICES)]
    assert disturbances([(rounds, readings(steal_s={3: 0.02}))], server_cpus=1) == {21: STEAL}


def test_a_slice_that_is_left_out_takes_its_requests_and_its_cpu_with_it() -> None:
    load, looks = sliced_load(), readings(cpu_s={3: 1.0})
    slow = replace(load, status=np.where(load.within(load.intended_s) & third(load), 500, load.status))
    quiet = np.array([number != 3 for number in range(SLICES)])
    part, own = without(slow, looks, quiet)
    assert part.spans_s[0].size == SLICES - 1
    assert len(own) == 2 * (SLICES - 1)
    assert part.generator_cpu_share.shape == (1, SLICES - 1)
    found = metrics(part, own)
    assert found.errors == 0
    assert found.throughput_per_s == pytest.approx(1000, rel=0.002)
    assert found.cpu_ms_per_request == pytest.approx(0.9)
    assert part.scheduled == load.scheduled
    # The raw record keeps all of it.
    assert slow.spans_s[0].size == SLICES


def third(load: LoadRecord) -> np.ndarray:
    starts_s, ends_s = load.spans_s
    inside: np.ndarray = (load.intended_s >= starts_s[3]) & (load.intended_s < ends_s[3])
    return inside


def test_where_no_slice_was_quiet_all_are_shown() -> None:
    load, looks = sliced_load(), readings()
    assert without(load, looks, np.zeros(SLICES, dtype=bool)) == (load, looks)


@pytest.mark.parametrize(("left_out", "word"), [(5, Validity.VALID), (6, Validity.NOISY)])
def test_a_trial_of_which_most_was_left_out_is_noisy(left_out: int, word: Validity) -> None:
    judged = judge(evidence(rounds=SLICES, rounds_left_out={STEAL: left_out}))
    assert judged.validity is word
    assert (
        word is Validity.VALID
        or "6 of 10 rounds were disturbed (6 for steal; 50% allowed)" in (judged.reasons[0])
    )


def test_other_programs_are_looked_for_from_the_first_reading_to_the_last_whatever_was_left_out() -> None:
    looks = readings()
    first, last = looks[0], looks[-1]
    ours_s = last.cpu_s - first.cpu_s + last.neighbours_cpu_s - first.neighbours_cpu_s
    for others, word in ((0.05, Validity.VALID), (0.2, Validity.NOISY)):
        busy_s = ours_s + others * (last.at_s - first.at_s)
        case = evidence(busy_s=busy_s, busy_over=(first, last), readings=looks[4:6], server_cpus=1)
        words = [finding for finding, _ in server_alone(case)]
        assert words == ([] if word is Validity.VALID else [word])
