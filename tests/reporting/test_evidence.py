"""What every report says of how far it could look, and that nobody's words become markup."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from harness.findings import Summary, WrapperCost
from harness.model import OWN_COMMAND, Variant
from harness.reporting import facts, markdown, terminal
from harness.reporting.data import ReportData
from harness.reporting.evidence_lines import evidence_lines, not_checked, wrapper_cost_line
from harness.target import Service, Target
from harness.workload import RequestSpec
from tests.reporting.samples import PLAIN_1, html_words, report_data

HOSTILE = "<script>alert(1)</script>\x1b[2J|`x`"
RULES = ("I2", "I7 workers", "I8", "I9")
UNCHECKED = "black box: I2, I7 workers, I8, I9 not checked"
TARGET = Target(
    name="orders",
    app=HOSTILE,
    context="/home/me/orders",
    image="orders:1",
    env={"MODE": "production"},
    secret_env=("DATABASE_PASSWORD",),
    services=(Service(name="db", image="postgres:17", life="block", setup=(("migrate",),)),),
)


def black_box(variant_id: str = PLAIN_1.id) -> ReportData:
    """A run in which one variant was not looked into."""
    data = report_data()
    records = tuple(
        replace(record, facts=None, signals=None, not_checked=RULES)
        if record.variant_id == variant_id
        else record
        for record in data.records
    )
    return replace(data, records=records)


def on_a_terminal(data: ReportData) -> str:
    out = io.StringIO()
    Console(file=out, width=100, no_color=True).print(terminal.report(data))
    return out.getvalue()


def everywhere(data: ReportData) -> tuple[str, str, str]:
    return on_a_terminal(data), markdown.report(data), html_words(data)


def test_every_report_names_the_level_of_evidence_and_what_it_means() -> None:
    for text in everywhere(report_data()):
        assert "Evidence: wrapped. " in text
        assert "black box:" not in text


def test_a_run_of_black_boxes_says_nothing_of_a_wrapper() -> None:
    data = replace(report_data(), wrapper_cost="the baseline runs without it")
    boxes = tuple(replace(variant, bare=True) for variant in data.matrix.variants)
    matrix = replace(data.matrix, variants=boxes, baseline_id=boxes[0].id)
    shown = list(evidence_lines(replace(data, matrix=matrix)))
    assert len(shown) == 1
    assert [line for line in shown if "rapper" in line] == []


def test_every_report_says_which_rules_were_not_checked() -> None:
    data = black_box()
    assert not_checked(data, PLAIN_1.id) == UNCHECKED
    on_screen, *documents = everywhere(data)
    assert "black box: I2" in on_screen
    for text in documents:
        assert UNCHECKED in text


def test_two_levels_in_one_run_are_told_apart() -> None:
    data = report_data()
    bare = replace(data.matrix.variants[1], bare=True)
    matrix = replace(data.matrix, variants=(data.matrix.variants[0], bare))
    wrapped, box = evidence_lines(replace(data, matrix=matrix))
    assert wrapped.startswith(f"Evidence: wrapped ({PLAIN_1.id}, {PLAIN_1.id}.twin). ")
    assert box.startswith(f"Evidence: black box ({bare.id}). ")


@pytest.mark.parametrize(
    ("cost", "line"),
    [
        (
            WrapperCost(ratio=0.992, lo=0.985, hi=0.999, rounds=12, scenario="items"),
            "the wrapper costs 0.8 % of throughput (95 % interval 0.1 % to 1.5 %) on items, over 12 rounds",
        ),
        (
            WrapperCost(ratio=1.02, lo=0.95, hi=1.09, rounds=8, scenario="items"),
            "the wrapper costs at most 5 % of throughput (-2 % measured, 95 % interval -9 % to 5 %) on "
            "items, over 8 rounds",
        ),
        ("no scenario is a closed loop", "the wrapper's cost was not measured: no scenario is a closed loop"),
    ],
)
def test_the_wrappers_cost_is_in_every_report(cost: WrapperCost | str, line: str) -> None:
    assert wrapper_cost_line(cost) == line
    shown = replace(report_data(), wrapper_cost=cost)
    assert f"{line[0].upper()}{line[1:]}." in list(evidence_lines(shown))
    assert "rapper" in markdown.report(shown)


def test_target_services_and_requests_are_listed_and_inert() -> None:
    data = report_data()
    first, *rest = data.matrix.scenarios
    own = replace(
        first,
        locustfile="",
        requests=(RequestSpec(path=f"/{HOSTILE}", weight=3), RequestSpec(path="/orders", method="POST")),
        files_sha256={HOSTILE: "ab" * 32},
    )
    data = replace(data, matrix=replace(data.matrix, target=TARGET, scenarios=(own, *rest)))
    rows = dict(facts.method_rows(data))
    assert rows["service db"] == "postgres:17, fresh for each block, 1 setup commands"
    assert rows["secrets (values not stored)"] == "DATABASE_PASSWORD"
    assert rows["target made from"] == "orders:1"
    assert rows[f"requests of {first.name}"].endswith("(3 of 4); POST /orders (1 of 4)")
    for text in everywhere(data):
        assert "\x1b[2J" not in text
    assert "<script>alert" not in html_words(data)
    # Commands stand in indented code, where Markdown takes nothing for markup.
    text = markdown.report(data).splitlines()
    assert all(line.startswith("    ") for line in text if "<script>" in line)


def test_a_black_box_is_deployed_by_its_own_command() -> None:
    data = report_data()
    box = Variant(recipe=OWN_COMMAND, workers=1, memory_mib=256)
    target = replace(TARGET, app=None, command=("node", "server.js"), port=3000)
    matrix = replace(data.matrix, variants=(box,), baseline_id=box.id, target=target)
    analysis = replace(data.analysis, recommended=box.id)
    chosen = facts.deployment(replace(data, matrix=matrix, analysis=analysis))
    assert chosen is not None
    assert chosen.steps == (
        (
            "run",
            "docker run --publish 3000:3000 --memory 256m --env MODE=production orders:1 node server.js",
        ),
    )


def test_refusals_and_growing_memory_stand_beside_the_variant() -> None:
    data = report_data()
    finding, *others = data.analysis.findings
    cell = finding.cells[0]
    more: dict[str, Any] = {
        "refused": Summary(center=120.0, lo=100.0, hi=140.0, n=6),
        "memory_growth_mib_per_1000": Summary(center=2.0, lo=1.5, hi=2.5, n=6),
        "errors": Summary(center=38.0, lo=30.0, hi=46.0, n=6),
    }
    cells = (replace(cell, metrics={**cell.metrics, **more}), *finding.cells[1:])
    shown = replace(data, analysis=replace(data.analysis, findings=(replace(finding, cells=cells), *others)))
    text = markdown.report(shown)
    assert "failed while" not in text
    outcomes = [
        replace(one, worker_changes=2) if one.variant_id == cell.variant_id else one for one in data.outcomes
    ]
    replaced = markdown.report(replace(shown, records=tuple(outcomes)))
    assert "failed while workers were replaced: 38.0 requests a trial" in replaced
    assert "refused (503): 120 requests a trial" in text
    assert "memory growth: 2.00 \\[1.50–2.50\\] MiB per 1,000 requests" in text
