"""The command on real containers: a whole run, interruption, and bad days."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from harness.adapters import ownership
from harness.adapters.assets import OVERRIDE, assets
from harness.adapters.result_store import RunStore, runs_in
from harness.model import TrialRecord, Validity
from tests.adapters.containers import PATIENCE
from tests.outcomes import assert_measured

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

PROJECT = assets()
HARNESS = Path(sys.executable).with_name("harness")
PACKAGES = ("target_app", "front", "scenarios", "wire", "probe")
PARTS = (*PACKAGES, "scripts", "requirements", "Dockerfile.variants", ".dockerignore")

MATRIX = """
name = "tiny"
[factors]
recipe = ["uvicorn-standard"]
{levels}
{more}
[[scenarios]]
name = "items"
load = {{ clients = 4 }}
warmup_s = 0.2
measure_s = 0.5
[design]
blocks = {blocks}
wrapper_cost = {wrapper_cost}
"""


def write_matrix(
    directory: Path, *, levels: str = "", more: str = "", blocks: int = 1, wrapper_cost: str = "false"
) -> Path:
    path = directory / "tiny.toml"
    path.write_text(MATRIX.format(levels=levels, more=more, blocks=blocks, wrapper_cost=wrapper_cost))
    return path


class Checkout:
    """A project of its own, so that tests may break it, with results next to it."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.results = directory / "project", directory / "results"
        self.directory.mkdir()
        for part in PARTS:
            source, target = PROJECT / part, self.directory / part
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, target)
        self._environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "120"}
        self._environment |= {"TMPDIR": str(directory), "HARNESS_RUN_LOCK": str(directory / "lock")}
        self._environment[OVERRIDE] = str(self.directory)

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [HARNESS, "run", "--results", self.results, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.directory,
            env=self._environment,
        )

    def run(self, *arguments: str | Path) -> tuple[int, str]:
        process = self.start(*arguments)
        said, _ = process.communicate(timeout=110 * PATIENCE)
        return process.returncode, said

    @property
    def store(self) -> RunStore:
        (store,) = runs_in(self.results)
        return store

    @property
    def records(self) -> tuple[TrialRecord, ...]:
        return self.store.records()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.fixture
def nothing_left(checkout: Checkout) -> Iterator[None]:
    """No container or network of the test's runs may outlive it."""
    yield
    client = docker.from_env()
    for store in runs_in(checkout.results):
        wanted = {"label": f"{ownership.RUN}={store.path.name}"}
        assert client.containers.list(all=True, filters=wanted) == []
        assert client.networks.list(filters=wanted) == []
    client.close()


@pytest.mark.alone
def test_a_run_on_containers_ends_in_a_report(checkout: Checkout, nothing_left: None) -> None:
    matrix = write_matrix(checkout.directory, levels="workers = [1, 2]", wrapper_cost="true")
    code, said = checkout.run("--matrix", matrix)
    records = checkout.records
    assert_measured(code, said)
    assert {record.validity for record in records} <= {Validity.VALID, Validity.NOISY}, said
    # A noisy machine adds a block.
    assert len([record for record in records if record.block == 1]) == 3
    assert "Report: " in said
    assert checkout.store.manifest()["wrapper_cost"]["rounds"] >= 2
    assert (checkout.store.path / "report" / "report.html").stat().st_size > 10_000
    facts = next(r.facts for r in records if r.variant_id == "uvicorn-standard.w2" and r.facts)
    assert len(facts.workers) == 2
    assert facts.uid == 10001
    assert facts.loop.startswith("uvloop")


@pytest.mark.promise(9)
def test_an_interrupted_run_reports_what_there_is_and_goes_on_later(
    checkout: Checkout, nothing_left: None
) -> None:
    matrix = write_matrix(checkout.directory, blocks=2)
    process = checkout.start("--matrix", matrix)
    assert process.stdout is not None
    for line in process.stdout:
        # A noisy first block adds one.
        if line.startswith("[3-4/"):
            process.send_signal(signal.SIGINT)
            break
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "--resume" in said
    first = [record.trial_id for record in checkout.records]
    assert len(first) == 2
    code, said = checkout.run("--matrix", matrix, "--resume")
    assert_measured(code, said)
    assert [record.trial_id for record in checkout.records][:2] == first
    assert len([record for record in checkout.records if record.block <= 2]) == 4
    code, said = checkout.run("--matrix", matrix, "--resume")
    assert_measured(code, said)
    assert "nothing to do" in said


@pytest.mark.promise(14)
def test_a_variant_without_enough_memory_is_infeasible_and_the_others_go_on(
    checkout: Checkout, nothing_left: None
) -> None:
    code, said = checkout.run(
        "--matrix", write_matrix(checkout.directory, levels='memory_mib = ["none", 32]')
    )
    assert code == 4, said
    by_variant = {record.variant_id: record for record in checkout.records}
    starved = by_variant.pop("uvicorn-standard.w1.mem32")
    assert starved.validity is Validity.INVALID
    assert starved.metrics is None
    assert "memory" in starved.reasons[0], starved.reasons
    assert all(record.metrics for record in by_variant.values())


@pytest.mark.promise(13)
def test_an_image_that_does_not_build_is_one_variant_left_out(checkout: Checkout, nothing_left: None) -> None:
    (checkout.directory / "requirements" / "uvicorn-plain.txt").write_text("no-such-package==0.0.0\n")
    matrix = write_matrix(checkout.directory, more='[[include]]\nrecipe = "uvicorn-plain"')
    code, said = checkout.run("--matrix", matrix)
    assert code == 4, said
    assert "no-such-package" in said
    assert {record.variant_id for record in checkout.records} == {
        "uvicorn-standard.w1",
        "uvicorn-standard.w1.twin",
    }


@pytest.mark.promise(10)
def test_an_app_that_never_gets_ready_says_why(checkout: Checkout, nothing_left: None) -> None:
    health = checkout.directory / "target_app" / "main.py"
    health.write_text(health.read_text() + "\nraise RuntimeError('the database is gone')\n")
    code, said = checkout.run("--matrix", write_matrix(checkout.directory))
    assert code == 4, said
    record = checkout.records[0]
    assert record.validity is Validity.INVALID
    log = (checkout.store.path / "trials" / record.trial_id / "server.log").read_text()
    assert "the database is gone" in log


@pytest.mark.promise(16)
def test_wrong_answers_never_win(checkout: Checkout, nothing_left: None) -> None:
    routes = checkout.directory / "target_app" / "main.py"
    routes.write_text(
        routes.read_text()
        + "\n@app.middleware('http')\nasync def wrong(request, call_next):\n"
        + "    from starlette.responses import PlainTextResponse\n"
        + "    served = await call_next(request)\n"
        + "    return PlainTextResponse('fast') if request.url.path.startswith('/items') else served\n"
    )
    code, said = checkout.run("--matrix", write_matrix(checkout.directory))
    assert code == 4, said
    assert {record.validity for record in checkout.records} == {Validity.INVALID}
    assert all(record.metrics is None for record in checkout.records)
    assert "/items" in json.dumps([record.reasons for record in checkout.records])
