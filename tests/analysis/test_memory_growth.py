"""A leak is named where the growth is beyond chance and beyond a trifle."""

from harness.analysis.analyse import analyse
from tests.samples import ITEMS, PLAIN, a_matrix, a_record, some_metrics

MATRIX = a_matrix(variants=(PLAIN,), blocks=4)


def warned(*growths_mib: float | None) -> list[str]:
    """With 3,000 requests a trial and a working set of 58 MiB."""
    records = [
        a_record(PLAIN, ITEMS, block, metrics=some_metrics(memory_growth_mib_per_1000=growth))
        for block, growth in enumerate(growths_mib, 1)
    ]
    (finding,) = analyse(records, MATRIX).findings
    return [warning for warning in finding.warnings if "memory grows" in warning]


def test_steady_growth_is_named_with_its_interval() -> None:
    (warning,) = warned(1.0, 1.1, 0.9, 1.0)
    assert (
        "uvicorn-plain.w1 on items: memory grows by 1 MiB per 1,000 requests (95 %: 0.87 to 1.1)" in warning
    )


def test_chance_trifles_and_the_unknown_are_not() -> None:
    assert warned(1.0, -1.0, 0.8, -0.9) == []
    assert warned(0.1, 0.1, 0.1, 0.1) == []
    assert warned(-1.0, -1.1, -0.9, -1.0) == []
    assert warned(None, None, None, None) == []
