from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from harness.deployment import NetworkPath
from harness.model import OWN_COMMAND, CapacityLoad, ClosedLoad, Matrix, OpenLoad, Scenario, Variant
from harness.planning.commands import GENERATOR_ARGV, processes
from harness.planning.example import EXAMPLE
from harness.planning.plan import cells_of, plan_blocks
from harness.recipes import RECIPES
from harness.recipes.placeholders import PORT
from harness.reporting.plan import plan_text

CLOSED = Scenario(
    name="items", locustfile="items", load=ClosedLoad(clients=16), warmup_s=1.0, measure_s=4.0, slo_ms=50
)
OPEN = replace(CLOSED, name="steady", load=OpenLoad(rate_per_s=400.0))


def text(
    *variants: Variant,
    budget_s: float = 1000.0,
    precision: float | None = None,
    scenarios: tuple[Scenario, ...] = (CLOSED, OPEN),
) -> str:
    matrix = Matrix(
        name="m",
        description="",
        variants=variants,
        scenarios=scenarios,
        baseline_id=variants[0].id,
        blocks=3,
        seed=7,
        margin=0.03,
        budget_s=budget_s,
        ready_timeout_s=30,
        server_cpus=(1, 2),
        generator_cpus=(0,),
        precision=precision,
    )
    return plan_text(matrix, plan_blocks(cells_of(matrix), blocks=matrix.blocks, seed=matrix.seed))


def commands(shown: str) -> list[list[str]]:
    lines = [line.split(maxsplit=1) for line in shown.splitlines()]
    return [shlex.split(words[1]) for words in lines if words and words[0] == "command"]


@pytest.mark.parametrize("recipe", [recipe for recipe in RECIPES if recipe != OWN_COMMAND])
@pytest.mark.parametrize(("network", "port"), [("shared", "8000"), ("bridge", "8000"), ("host", "FREE_PORT")])
def test_the_command_can_be_read_back_word_for_word(recipe: str, network: NetworkPath, port: str) -> None:
    workers = 1 if "workers" in RECIPES[recipe].fixed else 2
    variant = Variant(recipe=recipe, workers=workers, network=network)
    *servers, generator = commands(text(variant))
    first, *behind = processes(variant, EXAMPLE, EXAMPLE.env)
    assert servers[0] == [word.replace(PORT, port).replace("{tls}", "/opt/tls") for word in first.argv]
    ports = ("FREE_PORT1", "FREE_PORT2") if network == "host" else ("8001", "8002")
    assert servers[1:] == [
        [word.replace(f"{{port{n + 1}}}", ports[n]) for word in process.argv]
        for n, process in enumerate(behind)
    ]
    assert generator == list(GENERATOR_ARGV)


def test_a_caution_is_shown_with_its_recipe() -> None:
    assert "caution      deprecated: " in text(Variant(recipe="gunicorn-uvicorn-deprecated", workers=1))
    assert "caution" not in text(Variant(recipe="gunicorn-uvicorn", workers=1))


def test_environment_and_limits_are_shown_for_every_variant() -> None:
    tight = Variant(
        recipe="uvicorn-plain", workers=1, access_log=True, cpu_quota=0.5, memory_mib=256, network="bridge"
    )
    shown = text(Variant(recipe="uvicorn-plain", workers=1), tight)
    for expected in (
        "HARNESS_VARIANT_ID=uvicorn-plain.w1 HARNESS_ACCESS_LOG=false TARGET_STAGE=benchmark",
        "CPU 1, 2, no CPU quota, no memory limit, network shared",
        f"HARNESS_VARIANT_ID={tight.id} HARNESS_ACCESS_LOG=true",
        "CPU 1, 2, quota of 0.5 CPUs, 256 MiB of memory, network bridge",
    ):
        assert expected in shown


def test_loads_order_and_cost_are_shown() -> None:
    shown = text(Variant(recipe="uvicorn-plain", workers=1), budget_s=66.0)
    for expected in (
        "16 clients, warm-up 1 s, measured 4 s",
        "400 requests/s, poisson, warm-up 1 s",
        "order of trials (seed 7):",
        "block 3: ",
        "about 1.2 min for 3 blocks; budget 1.1 min",
        "end the run after block 2",
    ):
        assert expected in shown


def test_a_plan_that_may_stop_sooner_says_when_and_promises_no_more_than_the_most() -> None:
    one = Variant(recipe="uvicorn-plain", workers=1)
    shown = text(one, precision=0.05)
    for expected in (
        "at most 3 blocks",
        "a scenario stops 2 blocks after the 95 % interval of every ratio to the baseline is first within ±5",
        "at block 6 at the earliest",
        "at most 2 more, within the budget, of scenarios in which trials were NOISY or INVALID",
        "at most about 1.2 min for 3 blocks",
    ):
        assert expected in shown
    assert "a scenario stops" not in text(one)


def test_a_capacity_is_planned_with_the_common_rate_that_follows_from_it() -> None:
    load = CapacityLoad(clients=16, pilot_s=2.0, step_s=3.0, steps=6)
    shown = text(Variant(recipe="uvicorn-plain", workers=1), scenarios=(replace(CLOSED, load=load),))
    for expected in (
        "capacity: 16 clients for 2 s, 6 rates of 3 s, warm-up 1 s, measured 4 s",
        "items-at-common-rate  (rate: 70 % of the slowest capacity)",
        # Two cells of 1 + 2 + 6 x 3.5 + 3 x 4.5 s, two of 1 + 4 s, 2 s each to start and stop: 93 s a block.
        "about 4.7 min for 3 blocks",
    ):
        assert expected in shown


def test_the_names_of_rules_are_plain_text() -> None:
    rules = ("[bold]2n+1[/bold]", "red\x1b[31m\nline\x07")
    shown = text(Variant(recipe="uvicorn-plain", workers=3, rules=rules))
    assert "workers      3; [bold]2n+1[/bold]; red line" in shown
    assert all(character.isprintable() for line in shown.splitlines() for character in line)
