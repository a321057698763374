"""Terminal and Markdown: what they say, how wide they are, and that foreign text stays text."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from harness.model import Validity, Variant
from harness.reporting import markdown, terminal
from harness.reporting.data import ReportData
from harness.reporting.facts import deployment
from harness.reporting.run_tables import rule_lines
from harness.reporting.tables import limit_headings, limit_rows, verdict_rows
from tests.reporting import samples

GOLDEN = Path(__file__).parent.parent / "golden" / "report.md"

HOSTILE = (
    "<script>alert(1)</script>",
    "[red]markup[/red] [link=http://evil.example]x[/link]",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b2J \x1b]8;;http://evil.example\x1b\\x\x1b]8;;\x1b\\",
    "a | b ` c\n# heading\n![image](http://evil.example/i.png) </td> \u202egnp.exe",
    "{{ 7 * 7 }} {% raw %}",
)


def printed(data: ReportData, width: int = 100, **options: object) -> str:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False, **options).print(terminal.report(data))  # type: ignore[arg-type]
    return out.getvalue()


def test_the_markdown_is_the_golden_one() -> None:
    assert markdown.report(samples.report_data()) == GOLDEN.read_text(encoding="utf-8")


def test_headline_comes_first() -> None:
    data = samples.report_data()
    first = data.analysis.headline[:40]
    assert printed(data).startswith(first)
    assert markdown.report(data).startswith(f"# {first}")


@pytest.mark.parametrize("width", [80, 100])
def test_fits_the_terminal_without_breaking_a_word_or_number(width: int) -> None:
    lines = printed(samples.report_data(), width).splitlines()
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    for whole in ("GENERATOR-BOUND", "★ better", "undecided", "4,649–4,928", "1.493–1.527", "A/A twin"):
        assert whole in text


def test_says_the_words_that_stand_on_numbers_and_never_stars_them() -> None:
    row = next(line for line in printed(samples.report_data()).splitlines() if "≥" in line)
    assert "GENERATOR-BOUND" in row
    assert "★" not in row


def test_one_reason_is_said_once_whatever_its_numbers_are() -> None:
    data = samples.report_data()
    broken = data.analysis.invalid[0]
    same = tuple(
        replace(broken, variant_id=name, trial_id=f"{name}.{n}", reasons=(f"{name}.{n}: pid {n} died",))
        for name, n in (("a", 7), ("b", 8), ("a", 9))
    )
    text = markdown.report(replace(data, analysis=replace(data.analysis, invalid=same)))
    assert "a.7 and 1 more, b.8" in text
    assert "pid 8 died" not in text


def test_invalid_trials_come_with_reasons_and_are_cut_after_ten() -> None:
    data = samples.report_data()
    assert "worker 23 was killed" in printed(data)
    broken = data.analysis.invalid[0]
    many = tuple(replace(broken, trial_id=f"trial-{n:02d}", reasons=(f"cause {'x' * n}",)) for n in range(13))
    text = printed(replace(data, analysis=replace(data.analysis, invalid=many)))
    assert "trial-09" in text
    assert "trial-10" not in text
    assert "3 more in the report" in text


@pytest.mark.parametrize("say", [printed, markdown.report, samples.html_words])
def test_every_report_names_what_limits_each_variant_and_shows_the_signals(
    say: Callable[[ReportData], str],
) -> None:
    text = re.sub(r"\s+", " ", say(samples.report_data()))
    for told in ("limited by", "server CPU", "none reached", "0.99 of 1 core", "12 ms at most"):
        assert told in text


def test_a_signal_that_a_variant_does_not_tell_leaves_a_gap_and_no_shift() -> None:
    data = samples.report_data()
    finding = data.analysis.findings[0]
    assert limit_headings(finding) == ("CPU", "throttled", "event loop")
    (row,) = [r for r in limit_rows(data, finding) if r.variant_id == samples.STANDARD_1.id]
    assert row.signals == ("0.99 of 1 core", "0.0 %", "–")


def test_a_word_names_the_rules_behind_it() -> None:
    data = samples.report_data()
    row = next(r for r in verdict_rows(data, data.analysis.findings[0]) if r.verdict == "GENERATOR-BOUND")
    assert row.broken == "I4"
    assert "GENERATOR-BOUND (I4)" in markdown.report(data)


def test_a_figure_of_a_worker_rule_that_is_not_ranked_carries_its_word() -> None:
    (line,) = [line for line in rule_lines(samples.report_data()) if line.rule == "affinity"][:1]
    assert line.lost.text == "GENERATOR-BOUND"


def test_no_colour_without_a_terminal() -> None:
    assert "\x1b" not in printed(samples.report_data(), no_color=True)


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.promise(22)
def test_hostile_text_is_inert_on_a_terminal(hostile: str) -> None:
    text = printed(samples.with_reasons(samples.report_data(), hostile))
    assert not any(ord(letter) < 32 and letter != "\n" for letter in text)
    assert not any(0x7F <= ord(letter) <= 0x9F or letter == "\u202e" for letter in text)


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.promise(22)
def test_hostile_text_is_inert_in_markdown(hostile: str) -> None:
    data = samples.report_data()
    text = markdown.report(samples.with_reasons(data, hostile))
    assert not re.search(r"<[a-z/!]", text)
    assert text.count("\n") == markdown.report(data).count("\n"), "it must not start a line of its own"
    row = next(line for line in text.splitlines() if line.startswith(f"| {samples.INVALID_TRIAL}"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 4, "it must not make a column of its own"
    assert not re.search(r"(?<!\\)[`\]]", row)


@pytest.mark.promise(22)
def test_hostile_text_is_inert_in_html() -> None:
    page = samples.html_page(samples.with_reasons(samples.report_data(), *HOSTILE))
    clean = samples.clean_page()
    assert re.findall(r"<[a-z/]+", page) == re.findall(r"<[a-z/]+", clean), "no tag more or less"
    assert "\x1b" not in page
    assert "{{ 7 * 7 }}" in page


def test_markup_is_shown_not_read() -> None:
    assert "[red]markup[/red]" in printed(samples.with_reasons(samples.report_data(), HOSTILE[1]))


def test_a_run_on_local_processes_says_so_in_every_output() -> None:
    data = samples.report_data()
    on_processes = replace(data, provenance={**data.provenance, "engine": "process"})
    for say in (printed, markdown.report, samples.html_words):
        text = say(on_processes)
        assert "not containers: not comparable" in text
        assert "docker run" not in text
    assert "not containers" not in printed(data)


def test_an_empty_run_still_makes_a_report() -> None:
    data = samples.report_data()
    empty = replace(
        data,
        records=(),
        analysis=replace(
            data.analysis, findings=(), recommended=None, headline="Nothing was measured.", invalid=()
        ),
        tails={},
        series={},
        rules=(),
    )
    assert printed(empty).startswith("Nothing was measured.")
    assert "no trials" in markdown.report(empty)
    assert "No single variant" in samples.html_words(empty)


def test_a_recipe_that_did_not_build_is_named_in_every_output() -> None:
    data = replace(samples.report_data(), failed_builds={"gunicorn-asgi": "no gcc\x1b[31m here"})
    for shown in (markdown.report(data), samples.html_words(data), printed(data)):
        assert "all of gunicorn-asgi" in shown
        assert "no gcc here" in re.sub(r"\s+", " ", shown)


def test_a_cell_without_trials_was_not_measured_rather_than_invalid() -> None:
    data = samples.report_data()
    finding, *others = data.analysis.findings
    empty = replace(finding.cells[0], metrics={}, valid=0, trials=0, word=Validity.INVALID)
    cut = replace(finding, cells=(empty, *finding.cells[1:]))
    data = replace(data, analysis=replace(data.analysis, findings=(cut, *others)))
    (row,) = [row for row in verdict_rows(data, cut) if row.variant_id == empty.variant_id]
    assert row.verdict == "not measured"


def words(text: str) -> str:
    """Without markup and line breaks."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", text))


def test_a_caution_and_its_measured_price_stand_in_every_output() -> None:
    data = samples.report_data()
    cautioned = samples.with_recipe(data, samples.GUNICORN_5, "gunicorn-uvicorn-deprecated")
    for say in (printed, markdown.report, samples.html_words):
        text, before = words(say(cautioned)).replace("\\", ""), words(say(data))
        assert "gunicorn-uvicorn-deprecated.w5.mem512 is deprecated: " in text
        assert "Times uvicorn-plain.w1: peak working set 4.430 [4.381–4.479] on items (worse)" in text
        # Once in the sentence, and once next to the variant in each of the two tables of verdicts.
        assert len(re.findall(r"(?<!-)deprecated(?![.-])", text)) == 3
        assert "deprecated" not in before


def test_a_server_that_cannot_serve_the_app_is_called_that_in_every_output() -> None:
    data = samples.report_data()
    finding, *others = data.analysis.findings
    broken = replace(finding.cells[0], metrics={}, valid=0, word=Validity.INVALID, cannot_serve=True)
    record = replace(data.analysis.invalid[0], cannot_serve=True)
    finding = replace(finding, cells=(broken, *finding.cells[1:]))
    analysis = replace(data.analysis, findings=(finding, *others), invalid=(record,))
    (row,) = [row for row in verdict_rows(data, finding) if row.variant_id == broken.variant_id]
    assert (row.verdict, row.best) == ("cannot serve this app", False)
    for say in (printed, markdown.report, samples.html_words):
        # Once in the verdict, once where what is not ranked is listed; the page has a short table besides.
        times = 3 if say is samples.html_words else 2
        assert words(say(replace(data, analysis=analysis))).count("cannot serve") == times


def test_a_recipe_that_shares_an_image_is_deployed_from_that_image() -> None:
    mounted = Variant(recipe="uvicorn-mounted", workers=1)
    data = samples.report_data()
    data = replace(
        data,
        matrix=replace(data.matrix, variants=(mounted,), baseline_id=mounted.id),
        analysis=replace(data.analysis, recommended=mounted.id),
    )
    found = deployment(data)
    assert found is not None
    commands = dict(found.steps)
    assert "--target uvicorn-standard --tag harness/uvicorn-standard" in commands["build"]
    assert (
        "--env TARGET_MOUNTED=true --env TARGET_STAGE=benchmark harness/uvicorn-standard uvicorn target_app"
        in commands["run"]
    )


@pytest.mark.parametrize("limit", [None, 256])
def test_the_command_to_deploy_is_one_that_serves_from_a_container(limit: int | None) -> None:
    data = samples.report_data()
    chosen = next(v for v in data.matrix.variants if v.id == data.analysis.recommended)
    limited = replace(chosen, memory_mib=limit)
    data = replace(
        data,
        matrix=replace(data.matrix, variants=(limited,), baseline_id=limited.id),
        analysis=replace(data.analysis, recommended=limited.id),
    )
    found = deployment(data)
    assert found is not None
    commands = dict(found.steps)
    assert "--host 0.0.0.0 --port 8000" in commands["server"]
    assert f"--target {chosen.recipe}" in commands["build"]
    assert "--publish 8000:8000" in commands["run"]
    assert "--env TARGET_STAGE=benchmark harness/" in commands["run"]
    assert "harness_probe" not in commands["run"]
    assert commands["run"].endswith(commands["server"])
    assert ("--memory 256m" in commands["run"]) is (limit is not None)


def test_a_deployment_of_several_containers_is_told_in_full() -> None:
    data = samples.report_data()
    chosen = Variant(recipe="nginx-replicas", workers=2)
    data = replace(
        data,
        matrix=replace(data.matrix, variants=(chosen,), baseline_id=chosen.id),
        analysis=replace(data.analysis, recommended=chosen.id),
    )
    found = deployment(data)
    assert found is not None
    front, *replicas = [command for what, command in found.steps if what == "run"]
    assert "--publish 8000:8000 --name nginx" in front
    assert "listen 0.0.0.0:8000 " in front
    assert "server 127.0.0.1:8002 " in front
    assert ["--network container:nginx" in replica for replica in replicas] == [True, True]
    assert [replica.partition("--port ")[2][:4] for replica in replicas] == ["8001", "8002"]
