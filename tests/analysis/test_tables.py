"""The two data frames that notebooks and reports read."""

from dataclasses import fields, replace

import pytest

from harness.analysis.analyse import analyse
from harness.analysis.frame import trials_frame
from harness.analysis.heuristics import RULE_COLUMNS, worker_rules_table
from harness.model import TrialMetrics, Validity
from tests.analysis.simulated import TWIN, failed, steady, throughput_records
from tests.samples import ITEMS, PLAIN, STANDARD, a_matrix, a_record, some_metrics


def test_one_row_per_trial_with_every_metric():
    frame = trials_frame([a_record(block=1), failed(STANDARD, 2, metrics=None)])
    assert list(frame["trial_id"]) == ["uvicorn-plain.w1.items.01", "uvicorn-standard.w1.items.02"]
    assert list(frame["recipe"]) == ["uvicorn-plain", "uvicorn-standard"]
    assert list(frame["validity"]) == ["VALID", "INVALID"]
    assert frame["reasons"][1] == "I7: worker pids changed"
    assert {field.name for field in fields(TrialMetrics)} <= set(frame.columns)
    assert frame["throughput_per_s"][0] == 1000.0
    assert frame["throughput_per_s"].isna().tolist() == [False, True]


def test_only_the_last_attempt_has_a_row():
    frame = trials_frame([failed(PLAIN, 1, metrics=None), a_record(block=1)])
    assert frame["validity"].tolist() == ["VALID"]


def test_no_records_give_an_empty_frame_with_its_columns():
    frame = trials_frame([])
    assert frame.empty
    assert "latency_p95_s" in frame.columns


ONE = replace(PLAIN, rules=("1", "affinity"))
TWO = replace(PLAIN, workers=2, rules=("host",))
FIVE = replace(PLAIN, workers=5, rules=("2 * host + 1",))
RULES = a_matrix(variants=(ONE, TWO, FIVE), baseline_id=ONE.id)


@pytest.fixture
def table():
    records = throughput_records({ONE: steady(1000), TWIN: steady(1001)[::-1], TWO: steady(800)})
    fast = some_metrics(throughput_per_s=950.0)
    records += [failed(FIVE, block, Validity.NOISY, metrics=fast) for block in range(5)]
    return worker_rules_table(analyse(records, RULES), RULES)


def test_one_row_per_rule_and_scenario(table):
    assert list(table.columns) == list(RULE_COLUMNS)
    assert table[["rule", "workers", "verdict"]].values.tolist() == [
        ["1", 1, "in best set"],
        ["affinity", 1, "in best set"],
        ["host", 2, "not in best set"],
        ["2 * host + 1", 5, "NOISY"],
    ]


def test_regret_is_what_is_lost_against_the_best(table):
    assert table["regret_percent"].tolist()[:3] == pytest.approx([0.0, 0.0, 20.0])
    assert table["regret_percent"].isna().tolist() == [False, False, False, True]


def test_rows_carry_the_interval_and_the_memory(table):
    one = table.iloc[0]
    assert one["throughput_lo"] < one["throughput_per_s"] < one["throughput_hi"]
    assert one["working_set_mib"] == pytest.approx(60.0)


def test_a_matrix_without_rules_has_an_empty_table():
    matrix = a_matrix(scenarios=(ITEMS,))
    assert worker_rules_table(analyse([], matrix), matrix).empty
