"""The apps of examples/ in containers, from a copy in an empty directory: one block of one variant."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from harness.adapters import ownership
from harness.adapters.docker_build import base_image
from harness.adapters.docker_client import connect
from harness.adapters.result_store import RunStore, runs_in
from harness.measurement.validity import NEED_A_LOOK_INSIDE
from harness.model import TrialRecord, Validity
from harness.planning.toml_text import key, value
from tests.outcomes import assert_measured

EXAMPLES = Path(__file__).parents[1] / "examples"
APPS = sorted(path.name for path in EXAMPLES.iterdir() if (path / "harness.toml").is_file())
HARNESS = Path(sys.executable).with_name("harness")
# NOISY: other programs ran next to the test, which is no fault of the app.
FIT = {Validity.VALID, Validity.NOISY}

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(1200)]


def cut(matrix: dict[str, Any]) -> dict[str, Any]:
    """One block of one variant under the scenario that takes the least time."""
    scenarios = sorted(matrix["scenarios"], key=lambda s: s.get("warmup_s", 1.0) + s.get("measure_s", 5.0))
    cheapest = scenarios[0] | {"warmup_s": 1.0, "measure_s": 2.0}
    factors = {name: levels[:1] for name, levels in matrix["factors"].items()}
    design = matrix.get("design", {}) | {"blocks": 1, "wrapper_cost": False}
    return matrix | {"factors": factors, "scenarios": [cheapest], "design": design}


class Copy:
    """An example, cut down, where nothing else is."""

    def __init__(self, app: str, directory: Path) -> None:
        self.directory = directory / app
        shutil.copytree(EXAMPLES / app, self.directory, ignore=shutil.ignore_patterns("results", "*.tif"))
        file = self.directory / "harness.toml"
        matrix = cut(tomllib.loads(file.read_text("utf-8")))
        file.write_text("\n".join(f"{key(name)} = {value(item)}" for name, item in matrix.items()))

    def prepare(self) -> None:
        """What the page does before `harness run`."""
        if (self.directory / "make_raster.py").exists():
            subprocess.run([sys.executable, "make_raster.py"], cwd=self.directory, check=True)
        if (self.directory / "Dockerfile").exists():
            image = tomllib.loads((self.directory / "harness.toml").read_text("utf-8"))["target"]["image"]
            client = connect()
            base, _ = base_image(client, None)
            client.images.build(
                path=str(self.directory), tag=image, buildargs={"BASE_IMAGE": base}, forcerm=True
            )
            client.close()

    def run(self) -> str:
        done = subprocess.run(
            [HARNESS, "run", "--engine", "docker", "--wait"],
            cwd=self.directory,
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "120"},
            capture_output=True,
            text=True,
            timeout=1100,
            check=False,
        )
        assert_measured(done.returncode, done.stdout + done.stderr)
        return done.stdout + done.stderr

    @property
    def store(self) -> RunStore:
        (store,) = runs_in(self.directory / "results")
        return store

    @property
    def records(self) -> tuple[TrialRecord, ...]:
        return self.store.records()


@pytest.fixture
def copied(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Copy]:
    """No container or network of its run may outlive it."""
    copy = Copy(request.param, tmp_path)
    yield copy
    client = docker.from_env()
    for store in runs_in(copy.directory / "results"):
        wanted = {"label": f"{ownership.RUN}={store.path.name}"}
        assert client.containers.list(all=True, filters=wanted) == []
        assert client.networks.list(filters=wanted) == []
    client.close()


@pytest.mark.parametrize("copied", APPS, indirect=True, ids=APPS)
def test_an_example_is_measured_and_its_rules_hold_or_are_named_as_not_checked(copied: Copy) -> None:
    copied.prepare()
    said = copied.run()

    records = copied.records
    assert {record.validity for record in records} <= FIT, said
    assert len([record for record in records if record.block == 1]) == 2  # the variant and its twin
    assert "Report: " in said
    assert (copied.store.path / "report" / "report.html").stat().st_size > 10_000
    for record in records:
        box = record.variant_id.startswith("own-command")
        assert record.not_checked == (NEED_A_LOOK_INSIDE if box else ())
        assert (record.facts is None) == box
