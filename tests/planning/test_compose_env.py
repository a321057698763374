"""Environments of compose files: what is filled in, copied or kept out."""

from __future__ import annotations

import pytest

from harness.planning.compose_env import ComposeValues, app_env, filled, is_secret, service_env


@pytest.mark.parametrize(
    ("text", "done", "missing"),
    [
        ("plain", "plain", ()),
        ("${A}", "${A}", ("A",)),
        ("$A/x", "$A/x", ("A",)),
        ("${A:-b}c", "bc", ()),
        ("${A-}", "", ()),
        ("${A:?must be set}", "${A:?must be set}", ("A",)),
        ("${A:+x}", "", ()),
        ("$$A", "$A", ()),
        ("$$$$", "$$", ()),
        ("${A:-${B}}", "${A:-${B}}", ("B", "...")),
        ("5 $", "5 $", ()),
    ],
)
def test_variables_are_filled_in_as_compose_does(text: str, done: str, missing: tuple[str, ...]) -> None:
    found = filled(text)
    assert found.missing == missing
    if missing != ("B", "..."):
        assert found.text == done


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("LOG_LEVEL", "info", False),
        ("SECRET_KEY", "abc", True),
        ("STRIPE_API_KEY", "sk_live", True),
        ("DB_PASSWORD", "x", True),
        ("TOKEN_MINUTES", "30", False),
        ("PASSWORD_LOGIN", "true", False),
        ("DATABASE_URL", "postgresql://app:pw@db/app", True),
        ("DATABASE_URL", "postgresql://db/app", False),
        ("THING", "4fb9a0c2d1e84fb9a0c2d1e84fb9a0c2d1e8", True),
        ("PATH_TO", "/usr/local/lib/python3.13/site-packages/orders", False),
        ("SECRET_KEY", "", False),
    ],
)
def test_what_looks_like_a_secret(name: str, value: str, secret: bool) -> None:
    assert is_secret(name, value) is secret


def copied(table: object, values: ComposeValues | None = None) -> tuple[dict[str, str], list[str]]:
    left_out: list[str] = []
    settings, unset = app_env("api", table, values or ComposeValues(), left_out)
    return {setting.key: setting.value for setting in settings}, [*unset.values(), *left_out]


@pytest.mark.parametrize("table", [{"A": "1", "B": "x=y"}, ["A=1", "B=x=y"]])
def test_lists_and_tables_say_the_same(table: object) -> None:
    assert copied(table) == ({"A": "1", "B": "x=y"}, [])


def test_secrets_are_not_copied_and_not_told() -> None:
    env, said = copied({"SECRET_KEY": "hunter2", "DATABASE_URL": "postgresql://app:hunter2@db/x"})
    assert env == {}
    assert len(said) == 2
    assert "hunter2" not in str(said)
    assert "SECRET_KEY=..." in said[0]


def test_the_password_of_a_database_made_for_the_run_is_no_secret() -> None:
    values = ComposeValues()
    (made,) = service_env("db", {"POSTGRES_PASSWORD": "bench"}, values, [], file="compose.yaml")
    assert made.value == "bench"
    assert "removed after" in made.why
    url = "postgresql://app:bench@db/x"
    assert copied({"DATABASE_URL": url, "SECRET_KEY": "other"}, values)[0] == {"DATABASE_URL": url}


def test_what_only_the_shell_knows_is_stood_in_for_where_a_service_is_made_for_the_run() -> None:
    values, left_out = ComposeValues(), []
    table = ["POSTGRES_PASSWORD=${PW}", "POSTGRES_USER=${PGUSER:?set it}", "TZ=${TZ}"]
    env = service_env("db", table, values, left_out, file="compose.yaml")
    assert {s.key: s.value for s in env} == {"POSTGRES_PASSWORD": "harness", "POSTGRES_USER": "harness"}
    assert ["TZ of db" in text for text in left_out] == [True]
    env_of_app, _ = copied({"DATABASE_URL": "postgresql://$PGUSER:${PW}@db/x", "OTHER": "${OTHER}"}, values)
    assert env_of_app == {"DATABASE_URL": "postgresql://harness:harness@db/x"}


@pytest.mark.parametrize("table", ["A=1", [["A"]], {"A": {"b": "c"}}, {"A": ["b"]}, "x"])
def test_other_forms_are_listed(table: object) -> None:
    env, said = copied(table)
    assert env == {}
    assert "environment of api" in said[0]


@pytest.mark.parametrize("name", ["A B", "", "1A", "HARNESS_APP", "A\n[design]"])
def test_names_that_no_variable_may_have_are_listed(name: str) -> None:
    env, said = copied({name: "1"})
    assert env == {}
    assert len(said) == 1
