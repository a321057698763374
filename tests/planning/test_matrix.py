"""Levels to variants on a machine of two CPUs, one of them the server's, unless a test says otherwise."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from pydantic import ValidationError

from harness.errors import ConfigurationError
from harness.model import CapacityLoad, ClosedLoad, Matrix, OpenLoad
from harness.planning.matrix import resolve
from harness.planning.points import MAX_VARIANTS
from harness.planning.schema import MatrixFile, ScenarioTable
from wire.messages import operation_of

ITEMS = {"name": "items", "load": {"clients": 4}}


def resolved(
    *, generator_cpus: tuple[int, ...] = (0,), load: dict[str, Any] | None = None, **tables: Any
) -> Matrix:
    table = {
        "name": "m",
        "factors": {"recipe": ["uvicorn-plain"]},
        "scenarios": [{**ITEMS, "load": load or ITEMS["load"]}],
        **tables,
    }
    return resolve(
        MatrixFile.model_validate(table),
        where="m.toml",
        host_cpus=2,
        server_cpus=(1,),
        generator_cpus=generator_cpus,
    )


def problems(**tables: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as error:
        resolved(**tables)
    return error.value.problems


def workers(**tables: Any) -> list[int]:
    return [variant.workers for variant in resolved(**tables).variants]


RULES = {
    "recipe": ["uvicorn-plain"],
    "workers": [1, "2 * host", {"name": "2 [per] core", "count": "2 * affinity"}, {"name": "x", "count": 3}],
}


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        (1, [4, 2, 3]),
        ("2 * host", [1, 2, 3]),
        (4, [1, 2, 3]),
        ("2 [per] core", [1, 4, 3]),
        ("2 * affinity", [1, 4, 3]),
        (2, [1, 4, 3]),
        (3, [1, 4, 2]),
        ({"name": "x", "count": 3}, [1, 4, 2]),
    ],
)
def test_workers_are_excluded_by_level_by_name_and_by_count(pattern: Any, left: list[int]) -> None:
    assert workers(factors=RULES, exclude=[{"workers": pattern}]) == left


def test_a_pattern_needs_all_its_levels() -> None:
    matrix = resolved(
        factors={"recipe": ["uvicorn-plain", "fastapi-run"], "workers": [1, 2]},
        exclude=[{"recipe": "fastapi-run", "workers": 2}],
    )
    assert [v.id for v in matrix.variants] == ["uvicorn-plain.w1", "uvicorn-plain.w2", "fastapi-run.w1"]


def test_an_excluded_rule_need_not_come_to_a_count() -> None:
    factors = {"recipe": ["uvicorn-plain"], "workers": [1, "host - 64"]}
    assert workers(factors=factors, exclude=[{"workers": "host - 64"}]) == [1]


@pytest.mark.parametrize("pattern", [{"workers": 5}, {"workers": "per cpu"}, {"keep_alive_s": 7}])
def test_an_exclude_that_matches_nothing_is_a_problem(pattern: dict[str, Any]) -> None:
    (problem,) = problems(factors=RULES, exclude=[{"workers": 1}, pattern])
    assert problem.startswith("exclude.1: no combination")


def test_overlapping_patterns_both_match() -> None:
    assert workers(factors=RULES, exclude=[{"workers": 4}, {"workers": "2 * host"}]) == [1, 2, 3]


def test_includes_are_added_to_the_product_not_multiplied_with_it() -> None:
    factors = {"recipe": ["uvicorn-plain"], "workers": list(range(1, 61))}
    extra = [{"keep_alive_s": seconds} for seconds in range(100, 100 + MAX_VARIANTS - 60)]
    assert len(resolved(factors=factors, include=extra).variants) == MAX_VARIANTS
    (problem,) = problems(factors=factors, include=[*extra, {"access_log": True}])
    assert problem.startswith("factors: 257 variants are more than 256")


@pytest.mark.parametrize("keep_alive_s", [0, -1, 3601])
@pytest.mark.parametrize("key", ["include", "exclude"])
def test_a_point_is_held_to_the_bounds_of_its_factor(keep_alive_s: int, key: str) -> None:
    with pytest.raises(ValidationError, match=f"{key}.0.keep_alive_s"):
        resolved(**{key: [{"keep_alive_s": keep_alive_s}]})


@pytest.mark.parametrize(
    ("load", "generators", "says"),
    [
        ({"clients": 901}, 1, "scenarios.0.load.clients: 901 are more than 900"),
        ({"clients": 1801}, 2, "1801 are more than 1800"),
        ({"rate_per_s": 0.009}, 1, "scenarios.0.load.rate_per_s: 0.009 is less than 0.01"),
        ({"rate_per_s": 0.019}, 2, "0.019 is less than 0.02"),
        ({"rate_per_s": 100_000}, 2, "6,000,000 arrivals"),
    ],
)
def test_a_load_that_the_generator_would_refuse_is_refused_at_once(
    load: dict[str, float], generators: int, says: str
) -> None:
    scenario = {"name": "items", "load": load, "warmup_s": 10, "measure_s": 50}
    (problem,) = problems(scenarios=[scenario], generator_cpus=tuple(range(generators)))
    assert says in problem


def test_more_clients_than_nginx_has_connections_for_are_refused_behind_it_alone() -> None:
    cpus, load = (0, 1, 2), {"clients": 2001}
    assert resolved(load=load, generator_cpus=cpus).variants
    (problem,) = problems(
        load=load, generator_cpus=cpus, factors={"recipe": ["uvicorn-plain", "nginx-plain"]}
    )
    assert "scenarios.0.load.clients: 2001 are more than 2000" in problem
    assert "(nginx-plain.w1)" in problem
    assert resolved(load={"clients": 2000}, generator_cpus=cpus, factors={"recipe": ["nginx-plain"]}).variants


@pytest.mark.parametrize(
    ("load", "measure_s", "fits"),
    [
        ({"clients": 900}, 5.0, True),
        ({"clients": 901}, 5.0, False),
        ({"rate_per_s": 0.01}, 5.0, True),
        ({"rate_per_s": 0.0099}, 5.0, False),
        ({"rate_per_s": 100_000.0}, 49.0, True),
        ({"rate_per_s": 100_000.0}, 49.1, False),
    ],
)
def test_the_bounds_are_those_of_the_load_agent(load: dict[str, Any], measure_s: float, fits: bool) -> None:
    table = ScenarioTable.model_validate({"name": "items", "load": load, "measure_s": measure_s})
    message = drive_message(table.load.load(), measure_s)
    if fits:
        assert resolved(scenarios=[table]).scenarios[0].load == table.load.load()
        operation_of(json.dumps(message))
    else:
        assert len(problems(scenarios=[table])) == 1
        with pytest.raises(ValueError, match="drive"):
            operation_of(json.dumps(message))


def drive_message(load: ClosedLoad | OpenLoad, measure_s: float) -> dict[str, Any]:
    return {
        "op": "drive",
        "load": asdict(load),
        "spans_s": [[0.0, 1.0 + measure_s]],
        "ramp_s": 1.0,
        "rest_until_s": 0.0,
        "request_timeout_s": 10.0,
        "drain_s": 10.0,
        "seed": 1,
        "id_base": 0,
    }


def test_a_capacity_scenario_needs_its_clients_and_nothing_else() -> None:
    (scenario,) = resolved(load={"capacity": True, "clients": 8}).scenarios
    assert scenario.load == CapacityLoad(clients=8)
    (scenario,) = resolved(
        load={"capacity": True, "clients": 8, "pilot_s": 1.0, "step_s": 2.0, "steps": 5}
    ).scenarios
    assert scenario.load == CapacityLoad(clients=8, pilot_s=1.0, step_s=2.0, steps=5)


@pytest.mark.parametrize(
    "load",
    [
        {"capacity": False, "clients": 8},
        {"capacity": True},
        {"capacity": True, "clients": 8, "rate_per_s": 5.0},
        {"capacity": True, "clients": 8, "steps": 1},
    ],
)
def test_a_capacity_scenario_is_read_strictly(load: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ScenarioTable.model_validate({"name": "items", "load": load})


def test_the_pilots_clients_have_the_generators_limit() -> None:
    assert "901 are more than 900" in problems(load={"capacity": True, "clients": 901})[0]


def test_the_name_of_a_scenario_at_a_common_rate_is_taken() -> None:
    scenarios = [
        {"name": "items", "load": {"capacity": True, "clients": 8}},
        {"name": "items-at-common-rate", "locustfile": "items", "load": {"clients": 8}},
    ]
    with pytest.raises(ValidationError, match="items-at-common-rate stands more than once"):
        resolved(scenarios=scenarios)


def test_levels_of_the_server_become_variants() -> None:
    factors = {
        "recipe": ["gunicorn-uvicorn", "own-command"],
        "threads": ["none", 80],
        "env": ["none", {"name": "arena2", "set": {"MALLOC_ARENA_MAX": "2"}}],
    }
    target = {"app": "a:b", "image": "x"}
    ids = [
        v.id
        for v in resolved(factors=factors, target=target, exclude=[{"env": "arena2", "threads": 80}]).variants
    ]
    # Threads are not ours to set in an image's own command: its variants differ by what its container has.
    assert ids == [
        "gunicorn-uvicorn.w1",
        "gunicorn-uvicorn.w1.env-arena2",
        "gunicorn-uvicorn.w1.t80",
        "own-command.w1",
        "own-command.w1.env-arena2",
    ]


def test_every_level_is_part_of_the_id() -> None:
    point = {"preload": True, "max_requests": 1000, "backlog": 64, "workers": 2}
    (_, variant) = resolved(factors={"recipe": ["gunicorn-uvicorn"]}, include=[point]).variants
    assert variant.id == "gunicorn-uvicorn.w2.preload.mr1000.bl64"
    assert variant.planned_worker_changes
    (_, variant) = resolved(include=[{"limit_concurrency": 50}]).variants
    assert variant.id == "uvicorn-plain.w1.lc50"
    assert not variant.planned_worker_changes


def test_two_sets_of_one_name_are_refused() -> None:
    sets = [{"name": "a", "set": {"X": "1"}}, {"name": "a", "set": {"X": "2"}}]
    with pytest.raises(ValidationError, match="the name a stands for more than one level"):
        resolved(factors={"recipe": ["uvicorn-plain"], "env": sets})
