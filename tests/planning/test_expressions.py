import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.deployment import CpuCounts
from harness.planning.expressions import MAX_WORKERS, ExpressionError, check_expression, worker_count

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
        ("4 // (host - 15)", "host", 4),
        ("-" * 190 + "2", "host", 2),
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
        ("ceil(1, 2)", "of one value"),
        ("max(cpus)", "of several values"),
        ("max(*cpus, 1)", "only + - * / //"),
        ("~cpus", "only + - * / //"),
        ("(" * 199, "not an expression"),
        ("1\0", "not an expression"),
        ("1 +" * 100 + "1", "longer than 200"),
    ],
)
def test_what_is_no_rule_is_refused_with_a_hint(text: str, says: str) -> None:
    with pytest.raises(ExpressionError, match=None) as error:
        check_expression(text)
    assert says in str(error.value)


@pytest.mark.parametrize("text", ["4 // (host - 1)", "1 / (cpus - host)", "host - 64", "1e999"])
def test_a_rule_is_not_refused_for_a_value_that_depends_on_the_machine(text: str) -> None:
    check_expression(text)


@pytest.mark.parametrize("error", [RecursionError, MemoryError])
def test_what_is_too_much_for_the_parser_is_refused(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def overwhelmed(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("ast.parse", overwhelmed)
    with pytest.raises(ExpressionError, match="not an expression"):
        check_expression("1")


TOKENS = st.sampled_from(
    [
        *"()+-*/,",
        "//",
        "1",
        "2.5",
        "1e308",
        "1e999",
        "cpus",
        "host",
        "quota",
        "min",
        "max",
        "int",
        "ceil",
        "floor",
    ]
)


@given(st.lists(TOKENS, max_size=12).map(" ".join))
def test_any_text_comes_to_a_usable_count_or_is_refused(text: str) -> None:
    with suppress(ExpressionError):
        assert 1 <= worker_count(text, COUNTS, cpus="host") <= MAX_WORKERS


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("quota / 2", "not a whole number"),
        ("affinity - 4", "between 1 and 1024"),
        ("host * host * 5", "between 1 and 1024"),
        ("1 / (host - 16)", "no finite value"),
        ("1e999", "no finite value"),
        ("1e308 * 10", "no finite value"),
        ("1e999 - 1e999", "no finite value"),
        ("int(1e999)", "no finite value"),
        ("floor(1e999 - 1e999)", "no finite value"),
        ("int(1e308) * int(1e308)", "no finite value"),
        (0, "between 1 and 1024"),
        ("host * 99", "min(host * 99, 1024)"),
        ("host - 16", "max(host - 16, 1)"),
    ],
)
def test_an_unusable_count_is_refused(rule: int | str, says: str) -> None:
    with pytest.raises(ExpressionError) as error:
        worker_count(rule, COUNTS, cpus="host")
    assert says in str(error.value)


ATOMS = st.sampled_from(["cpus", "host", "affinity", "quota", "1", "2", "7", "0.5"])
RULES = st.recursive(
    ATOMS,
    lambda part: st.one_of(
        st.tuples(part, st.sampled_from(["+", "-", "*", "/", "//"]), part).map(lambda t: f"({' '.join(t)})"),
        st.tuples(st.sampled_from(["int", "floor", "ceil"]), part).map("{0[0]}({0[1]})".format),
        st.tuples(st.sampled_from(["min", "max"]), part, part).map("{0[0]}({0[1]}, {0[2]})".format),
        part.map("-{}".format),
    ),
    max_leaves=6,
)


@given(RULES, st.sampled_from(["host", "affinity", "quota"]))
def test_a_rule_comes_to_what_python_makes_of_it(text: str, cpus: str) -> None:
    named = {"host": COUNTS.host, "affinity": COUNTS.affinity, "quota": COUNTS.quota}
    functions = {"min": min, "max": max, "int": int, "floor": math.floor, "ceil": math.ceil}
    try:
        value = eval(text, {"__builtins__": {}}, {**functions, **named, "cpus": named[cpus]})
    except ZeroDivisionError:
        value = math.nan
    if value in range(1, MAX_WORKERS + 1):
        assert worker_count(text, COUNTS, cpus=cpus) == value
    else:
        with pytest.raises(ExpressionError):
            worker_count(text, COUNTS, cpus=cpus)
