"""Connections that found no place are named, and nobody else's are."""

import pytest

from harness.analysis.analyse import analyse
from tests.samples import ITEMS, PLAIN, a_matrix, a_record, some_metrics

MATRIX = a_matrix(variants=(PLAIN,), blocks=4)


@pytest.mark.parametrize(
    ("overflows", "said"),
    [((120, 80, 90, 110), True), ((0, 0, 0, 0), False), ((None, None, None, None), False)],
)
def test_a_full_listen_queue_is_a_warning(overflows: tuple[int | None, ...], said: bool) -> None:
    records = [
        a_record(PLAIN, ITEMS, block, metrics=some_metrics(listen_overflows=count))
        for block, count in enumerate(overflows, 1)
    ]
    (finding,) = analyse(records, MATRIX).findings
    warnings = [warning for warning in finding.warnings if "listen queue" in warning]
    assert bool(warnings) is said
    if said:
        assert "uvicorn-plain.w1 on items: 100 connections a trial" in warnings[0]


def test_what_is_not_compared_may_be_missing_without_a_word() -> None:
    records = [
        a_record(PLAIN, ITEMS, block, metrics=some_metrics(memory_growth_mib_per_1000=growth))
        for block, growth in enumerate((1.0, None, 1.0, 1.0), 1)
    ]
    (finding,) = analyse(records, MATRIX).findings
    (cell,) = [cell for cell in finding.cells if cell.variant_id == PLAIN.id]
    assert cell.metrics["memory_growth_mib_per_1000"].warnings == ()
