import pytest

from harness.model import CpuCounts
from harness.planning.expressions import ExpressionError, check_expression, worker_count

COUNTS = CpuCounts(host=16, affinity=4, quota=1.5)


@pytest.mark.parametrize(
    ("rule", "cpus", "workers"),
    [
        (3, "affinity", 3),
        ("2 * cpus + 1", "host", 33),
        ("2 * cpus + 1", "affinity", 9),
        ("2 * cpus + 1", "quota", 4),
        ("2 * host + 1", "quota", 33),
        ("max(int(quota * 1.0), 2)", "host", 2),
        ("ceil(quota)", "host", 2),
        ("floor(quota)", "host", 1),
        ("min(host, 2 * affinity)", "host", 8),
        ("host // 3", "host", 5),
        ("-affinity + 5", "host", 1),
    ],
)
def test_a_rule_comes_to_its_count(rule: int | str, cpus: str, workers: int) -> None:
    assert worker_count(rule, COUNTS, cpus=cpus) == workers


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2 * cpu + 1", "did you mean 'cpus'"),
        ("2 **", "not an expression"),
        ("cpus ** 2", "only + - * / //"),
        ("__import__('os')", "unknown function"),
        ("().__class__", "only + - * / //"),
        ("maxi(1, 2)", "did you mean 'max'"),
        ("cpus if cpus else 1", "only + - * / //"),
        ("True", "only + - * / //"),
        ("int()", "only + - * / //"),
        ("1 +" * 100 + "1", "longer than 200"),
    ],
)
def test_what_is_no_rule_is_refused_with_a_hint(text: str, says: str) -> None:
    with pytest.raises(ExpressionError, match=None) as error:
        check_expression(text)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("quota / 2", "not a whole number"),
        ("affinity - 4", "between 1 and 64"),
        ("host * host", "between 1 and 64"),
        ("1 / (host - 16)", "no finite value"),
        (0, "between 1 and 64"),
    ],
)
def test_an_unusable_count_is_refused(rule: int | str, says: str) -> None:
    with pytest.raises(ExpressionError) as error:
        worker_count(rule, COUNTS, cpus="host")
    assert says in str(error.value)
