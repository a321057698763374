"""From directories of stored runs to the printed table and the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness import cli
from harness.adapters.result_store import JOURNAL, RunStore
from harness.records import trial_to_json
from studies.claims import claims_page
from studies.claims.all_claims import findings
from studies.claims.claim import Answer, Word
from studies.claims.claim_evidence import MeasuredRun
from studies.claims.stored import made_again, stored_evidence, stored_machines
from studies.claims.workers import rule_cells
from studies.observation_store import ExperimentStore
from tests.studies.claims.both_ways import WORLDS
from tests.studies.claims.worlds import a_run, evidence, scenario, seen, speeds, variant

MACHINE = {
    "engine": "docker",
    "engine_facts": {"engine": "docker", "engine_version": "20.10"},
    "host": {"cpus_host": 2, "cpu_model": "A CPU", "memory_bytes": 2**34, "kernel": "6.1"},
    "started_at": "2026-11-21T10:00:00+00:00",
}


def store(run: MeasuredRun, directory: Path) -> None:
    stored = RunStore.create(directory, run.name, MACHINE, run.matrix)
    lines = [trial_to_json(record) for records in run.samples.cells.values() for record in records]
    stored.write_file(JOURNAL, b"".join(line + b"\n" for line in lines))


def test_verdicts_come_from_the_directories_of_runs_and_experiments(tmp_path: Path) -> None:
    store(speeds("servers", uvicorn_standard__w1=1.0, uvicorn_plain__w1=0.7), tmp_path)
    experiment = ExperimentStore.open(tmp_path / "lifecycle", {"host": MACHINE["host"]})
    experiment.append(seen("lifecycle", "worker-killed", "uvicorn-standard.w2", "replaced_s", 1.0))
    words = {claim.id: finding.word for claim, finding in findings(stored_evidence(tmp_path))}
    assert (words["S2"], words["L3"], words["S10"]) == (Word.HOLDS, Word.HOLDS, Word.UNDECIDED)
    assert [name for name, _ in stored_machines(tmp_path)] == ["servers", "lifecycle"]


def test_the_page_names_machine_figures_and_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store(speeds("servers", uvicorn_standard__w1=1.0, uvicorn_plain__w1=0.7), tmp_path)
    page = tmp_path / "claims.md"
    argv = ["harness", "study", "claims", "--evidence", str(tmp_path), "--markdown", str(page), "--best", "1"]
    monkeypatch.setattr("sys.argv", argv)
    with pytest.raises(SystemExit, match="0"):
        cli.main()
    text = page.read_text()
    assert "| S2 | uvicorn[standard]" in text
    assert "1.43x (1.42-1.44) the requests/s" in text
    assert "2 x A CPU" in text
    assert f"--evidence {tmp_path}" in text
    assert capsys.readouterr().out.count("\n") == 3


def test_repeats_that_were_made_again_are_shown_and_so_is_that_nobody_wrote_them_down(tmp_path: Path) -> None:
    experiment = ExperimentStore.open(tmp_path / "lifecycle", {"experiment": "lifecycle"})
    experiment.append(seen("lifecycle", "graceful-stop", "fastapi-run.w2", "lost_new", 0))
    assert made_again(tmp_path) == ["lifecycle: failed attempts were not recorded"]
    experiment.append(seen("lifecycle", "graceful-stop", "fastapi-run.w2", "failed_attempts", 2))
    experiment.append(seen("lifecycle", "reload-hup", "fastapi-run.w2", "failed_attempts", 0))
    [line] = made_again(tmp_path)
    assert line.startswith("graceful-stop fastapi-run.w2: 2 failed and made again")


def test_a_rule_that_is_told_from_the_best_everywhere_is_never_to_be_chosen() -> None:
    cells = tuple(rule_cells(WORLDS["W1"](False)))
    [line] = claims_page.never_to_be_chosen(cells)
    assert line.startswith(
        "W1 a rule: never choose it; among the best in 0 of 8 places; at worst it loses 40 %"
    )
    header, *rows = claims_page.rule_table(cells)
    assert header[3:7] == ["async_io", "sync_io", "cpu_bound", "mixed"]
    assert [row[1] for row in rows] == ["1 core", "quota 0.5 on 1 core"]


def test_a_rule_that_is_best_somewhere_can_be_right() -> None:
    [line] = claims_page.never_to_be_chosen(rule_cells(WORLDS["W1"](True)))
    assert "can be right" in line


def test_a_noisy_run_makes_no_rule_good() -> None:
    """Behind the best by less than the A/A floor is not reported from it, and not as good either."""
    cells = {
        variant("uvicorn-standard.w1"): {},
        variant("uvicorn-standard.w2", rules=("W1 a rule",)): {"items": {"throughput_per_s": 850.0}},
    }
    run = a_run("worker-heuristics", cells, scenarios=[scenario("items")], noise=0.2)
    [finding] = run.analysis.findings
    noisy = replace(run.analysis, findings=(replace(finding, floor=0.5, margin=0.5),))
    [cell] = rule_cells(evidence(replace(run, analysis=noisy)))
    assert cell.answer is Answer.OPEN
    assert cell.why == "may lose up to 36 %"


def test_the_best_lines_begin_with_what_refutes_the_advice() -> None:
    judged = findings(WORLDS["S2"](False)) + findings(WORLDS["S6"](True))
    _, _, first, *_ = claims_page.best(judged, 3).splitlines()
    assert "**fails**; no: faster on " in first
