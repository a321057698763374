"""The command as a user meets it: its words and its exit codes."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import jsonschema
import pytest

from harness import pipeline, stored_report
from harness.adapters.assets import assets
from harness.adapters.result_store import RunStore
from harness.cli import main
from harness.execution.blocks import RunEnd
from harness.model import Validity
from tests.samples import ITEMS, PLAIN, STANDARD, a_load, a_matrix, a_record, some_metrics, some_readings

PROJECT = assets()
LEVELS = ("Point", "Pattern")
"""Their keys are those of [factors], which describes them."""
HARNESS = Path(sys.executable).with_name("harness")


def harness(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in this process, which has the libraries already; in one of its own with an environment."""
    argv = ["harness", *map(str, arguments)]
    if environment:
        return subprocess.run(
            [HARNESS, *argv[1:]],
            capture_output=True,
            text=True,
            cwd=PROJECT,
            env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1", **environment},
            timeout=60,
            check=False,
        )
    out, err = io.StringIO(), io.StringIO()
    with here(), pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", argv)
        with pytest.raises(SystemExit) as ended:
            main()
    code = ended.value.code
    assert isinstance(code, int), code
    return subprocess.CompletedProcess(argv, code, out.getvalue(), err.getvalue())


@contextmanager
def here() -> Iterator[None]:
    """The command's surroundings, and its signal handlers gone afterwards."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(PROJECT)
        patch.setenv("COLUMNS", "100")
        patch.setenv("NO_COLOR", "1")
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)


@pytest.fixture
def stored(tmp_path: Path) -> RunStore:
    """A run in which uvicorn-standard really is 1.5 times as fast."""
    store = RunStore.create(tmp_path / "results", "20261121-090000-m", {"engine": "docker"}, a_matrix())
    for block in range(1, 5):
        for variant, rate in ((PLAIN, 1000.0), (STANDARD, 1500.0)):
            metrics = some_metrics(throughput_per_s=rate + block)
            record = a_record(variant, block=block, metrics=metrics)
            store.save_trial(record.trial_id, a_load(), some_readings(), "log")
            store.append(record)
        twin = a_record(
            variant_id=f"{PLAIN.id}.twin",
            trial_id=f"{PLAIN.id}.twin.{ITEMS.name}.{block:02d}",
            block=block,
            metrics=some_metrics(throughput_per_s=1001.0 + block),
        )
        store.append(twin)
    return store


def test_a_stored_run_is_shown_again(stored: RunStore) -> None:
    shown = harness("show", "--results", stored.path.parent)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("Deploy uvicorn-standard with 1 worker")
    assert "better" in shown.stdout


def test_a_report_is_rebuilt_and_its_files_are_named(stored: RunStore) -> None:
    made = harness("report", stored.path)
    assert made.returncode == 0, made.stderr
    paths = [Path(line) for line in made.stdout.splitlines()]
    assert paths[0] == stored.path / "report" / "report.html"
    assert all(path.stat().st_size > 0 for path in paths)


@pytest.fixture
def in_this_process() -> Iterator[None]:
    with here():
        yield


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("run", "--matrix", "matrices/quik.toml"), 2, "matrices/quick.toml"),
        (("run", "--matrix", "matrices/quick.toml", "--engine", "podman"), 2, "auto, docker, process"),
        (("plan", "--matrix", "README.md"), 2, "not valid TOML"),
        (("show", "nonsense"), 2, "no such run"),
        (("report", "--results", "/nonexistent"), 2, "no run yet"),
        (("study", "images", "--only", "usr"), 2, "no 'usr'; there are multi-stage"),
        (("run",), 2, "harness init"),
        (("plan",), 2, "--matrix quick"),
        (("nonsense",), 2, "No such command"),
    ],
)
def test_bad_input_is_explained_with_exit_code_2(arguments: tuple[str, ...], code: int, says: str) -> None:
    done = harness(*arguments)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_an_engine_that_is_not_there_is_exit_code_3(tmp_path: Path) -> None:
    refused = harness(
        *("run", "--matrix", "matrices/quick.toml", "--engine", "docker", "--results", tmp_path),
        DOCKER_HOST="unix:///nonexistent.sock",
        HARNESS_RUN_LOCK=str(tmp_path / "lock"),
    )
    assert refused.returncode == 3
    assert "setup-engine.sh" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert list(tmp_path.glob("*quick*")) == []


@pytest.mark.parametrize(("word", "code"), [(Validity.VALID, 0), (Validity.NOISY, 4)])
def test_a_run_that_could_rank_nothing_is_no_success(
    word: Validity, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RunStore.create(tmp_path, "20261121-090000-m", {"engine": "docker"}, a_matrix())
    for variant in (PLAIN, STANDARD):
        store.append(a_record(variant, validity=word))
    outcome = pipeline.RunOutcome(store=store, end=RunEnd.COMPLETE, failed_builds={}, before=0)
    monkeypatch.setattr(pipeline, "run", lambda *_, **__: outcome)
    monkeypatch.setattr(stored_report, "write_report", lambda *_: [tmp_path / "report.html"])
    monkeypatch.setattr(sys, "argv", ["harness", "run", "--matrix", "quick"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code


def test_doctor_names_the_command_that_mends(tmp_path: Path) -> None:
    checked = harness("doctor", "--results", tmp_path, DOCKER_HOST="unix:///nonexistent.sock")
    assert checked.returncode == 3
    assert "scripts/setup-engine.sh" in checked.stdout
    assert "why it matters" in checked.stdout


def test_a_plan_shows_commands_order_and_cost() -> None:
    planned = harness("plan", "--matrix", "matrices/quick.toml")
    assert planned.returncode == 0, planned.stderr
    for expected in (
        "uvicorn harness_probe.asgi:app",
        "HARNESS_APP=target_app.main:app",
        "block 1:",
        "seed 1",
        "min for",
        "MB of results",
    ):
        assert expected in planned.stdout


def test_a_plan_reads_the_harness_toml_of_its_directory(
    in_this_process: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    (tmp_path / "main.py").write_text("from fastapi import FastAPI\napp = FastAPI()\n")
    (tmp_path / "requirements.txt").write_text("fastapi\n")
    (tmp_path / ".env").write_text("TOKEN=never-shown\n")
    (tmp_path / "harness.toml").write_text(
        'name = "orders"\n[target]\nenv_file = ".env"\n[factors]\nrecipe = ["uvicorn-standard"]\n'
        '[[scenarios]]\nname = "checkout"\nload = { clients = 4 }\n[[scenarios.requests]]\npath = "/orders"\n'
        'headers = { authorization = "Bearer {env:TOKEN}" }\n'
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["harness", "plan"])
    with pytest.raises(SystemExit, match="0"):
        main()
    said = capsys.readouterr().out
    for expected in (
        "app          main:app",
        "target.app is left out",
        "GET /orders -> 200",
        "secrets  TOKEN",
    ):
        assert expected in said
    assert "never-shown" not in said


def test_what_there_is_is_listed(stored: RunStore) -> None:
    listed = harness("list", "--results", stored.path.parent)
    assert listed.returncode == 0, listed.stderr
    for expected in ("matrices/quick.toml", "cpu_bound", "gunicorn-asgi", stored.path.name):
        assert expected in listed.stdout


def test_the_schema_is_json_schema() -> None:
    schema = json.loads(harness("schema").stdout)
    assert schema["title"] == "MatrixFile"
    assert schema["additionalProperties"] is False
    undescribed = [
        f"{name}.{key}"
        for name, table in {"MatrixFile": schema, **schema["$defs"]}.items()
        if name not in LEVELS
        for key, of in table["properties"].items()
        if not of.get("description")
    ]
    assert undescribed == []


def test_the_version_is_told() -> None:
    from harness import __version__

    assert harness("--version").stdout.strip() == __version__


@pytest.fixture
def two_runs(tmp_path: Path) -> Path:
    """Two stored runs of one machine; the second serves a tenth less."""
    facts = {"engine": "docker", "host": {"cpu_model": "EPYC"}, "started_at": "2026-11-30T10:00:00+00:00"}
    for name, rate in (("20261130-100000-m", 1000.0), ("20261130-110000-m", 900.0)):
        store = RunStore.create(tmp_path / "results", name, facts, a_matrix())
        for block in range(1, 6):
            for variant_id, one in ((PLAIN.id, rate), (STANDARD.id, rate), (f"{PLAIN.id}.twin", rate)):
                metrics = some_metrics(throughput_per_s=one + block)
                store.append(
                    a_record(
                        variant_id=variant_id,
                        trial_id=f"{variant_id}.{ITEMS.name}.{block:02d}",
                        block=block,
                        metrics=metrics,
                    )
                )
    return tmp_path / "results"


@pytest.mark.parametrize(
    ("limit", "code", "word"), [("throughput<-5%", 1, "Regression"), ("throughput<-20%", 0, "Pass")]
)
def test_two_stored_runs_are_gated_by_exit_code_markdown_and_json(
    two_runs: Path, tmp_path: Path, limit: str, code: int, word: str
) -> None:
    done = harness(
        *("compare", "20261130-100000-m", "20261130-110000-m", "--results", two_runs, "--fail-if", limit),
        *("--markdown", tmp_path / "pr.md", "--json", tmp_path / "pr.json"),
    )
    assert done.returncode == code, done.stderr
    assert done.stdout.startswith(word)
    assert (tmp_path / "pr.md").read_text().startswith(f"**{word}")
    found = json.loads((tmp_path / "pr.json").read_text())
    schema = json.loads(harness("schema", "compare").stdout)
    jsonschema.validate(found, schema)
    assert found["outcome"] == word.lower()


def test_runs_of_two_machines_are_refused_with_what_differs(two_runs: Path) -> None:
    RunStore(two_runs / "20261130-100000-m").update_manifest(host={"cpu_model": "Xeon"})
    done = harness("compare", "20261130-100000-m", "20261130-110000-m", "--results", two_runs)
    assert done.returncode == 2
    assert "host.cpu_model: 'Xeon' and 'EPYC'" in done.stderr
    assert "Fix: " in done.stderr


def test_a_bad_threshold_and_a_matrix_without_a_target_say_what_to_do() -> None:
    bad = harness("compare", "a", "b", "--fail-if", "p95<-5%", "--fail-if", "x")
    assert bad.returncode == 2
    assert "Fix: write 'p95>+5%'" in bad.stderr
    assert "'x' is no threshold" in bad.stderr
    without = harness("compare", "a", "b", "--matrix", "matrices/quick.toml")
    assert without.returncode == 2
    assert "has no [target]" in without.stderr


def test_a_stored_winner_is_exported_and_nothing_is_overwritten(two_runs: Path, tmp_path: Path) -> None:
    into = tmp_path / "deploy"
    command = ("export", "20261130-100000-m", "--results", two_runs, "--into", into)
    done = harness(*command, "--as", "compose", "--as", "k8s", "--variant", STANDARD.id)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in into.iterdir()) == [
        "Dockerfile",
        "Dockerfile.dockerignore",
        "compose.yaml",
        "kubernetes.yaml",
    ]
    again = harness(*command, "--variant", STANDARD.id)
    assert again.returncode == 2
    assert "--force" in again.stderr
    assert harness(*command, "--variant", STANDARD.id, "--force").returncode == 0
    other = harness(*command, "--variant", "uvicorn-standrad.w1")
    assert other.returncode == 2
    assert "uvicorn-standard.w1" in other.stderr
    assert harness(*command, "--as", "helm").returncode == 2
    unit = harness(*command, "--as", "gunicorn", "--variant", STANDARD.id)
    assert "no gunicorn" in unit.stderr


def test_a_selection_that_leaves_nothing_names_the_cells() -> None:
    done = harness("run", "--matrix", "quick", "--only", "nothing")
    assert done.returncode == 2
    assert "uvicorn-plain.w1.items" in done.stderr
    late = harness("run", "--matrix", "quick", "--budget", "soon")
    assert late.returncode == 2
    assert 'such as "90s"' in late.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--slo", "fast", "--rate", "10"), '"p95<100ms,errors<0.1%"'),
        (("--slo", "p95<50ms", "--rate", "10", "--cpus", "many"), "--cpus"),
        (("--slo", "p95<50ms", "--rate", "10", "--memory", "big"), '"512m"'),
        (("--slo", "p95<50ms", "--rate", "10", "--price", "5"), "cpu=0.04"),
        (("--slo", "p95<50ms", "--rate", "10", "--scenario", "itmes"), "items"),
        (("--slo", "p95<50ms", "--rate", "10"), "choose one of items, fan_out"),
    ],
)
def test_a_question_that_cannot_be_asked_says_how_to(options: tuple[str, ...], words: str) -> None:
    done = harness("advise", "--matrix", "quick", *options)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_terminal_that_knows_ascii_alone_gets_the_verdict(two_runs: Path) -> None:
    shown = harness("show", "--results", two_runs, PYTHONIOENCODING="ascii")
    assert shown.returncode == 0, shown.stderr
    assert "requests/s" in shown.stdout


def test_a_run_is_found_by_the_beginning_of_its_id(two_runs: Path) -> None:
    assert harness("show", "20261130-10", "--results", two_runs).returncode == 0
    both = harness("show", "20261130", "--results", two_runs)
    assert both.returncode == 2
    assert "2 runs begin so: 20261130-100000-m, 20261130-110000-m" in both.stderr


def test_a_key_that_stands_twice_is_named(tmp_path: Path) -> None:
    matrix = tmp_path / "twice.toml"
    matrix.write_text('name = "a"\nname = "b"\n')
    done = harness("plan", "--matrix", matrix)
    assert done.returncode == 2
    assert "'name = \"b\"'. This key or table stands twice" in done.stderr


def test_the_help_has_the_daily_commands_first_and_the_studies_apart() -> None:
    text = harness("--help").stdout
    places = [text.index(word) for word in ("Every day", "Around them", "Studies")]
    assert places == sorted(places)
    daily = text[places[0] : places[1]]
    for command in ("init", "run", "show", "advise", "compare", "export"):
        assert f"│ {command} " in daily
