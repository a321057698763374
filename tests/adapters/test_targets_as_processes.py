"""Apps of a team without containers: an environment of their own, and what plain processes cannot give."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.adapters.assets import assets
from harness.adapters.process_engine import ProcessEngine
from harness.deployment import DeploymentSpec
from harness.errors import AppImageFailed, BuildFailed, VariantError
from harness.model import OWN_COMMAND, Variant
from harness.planning.commands import processes
from harness.target import Service, Target

pytestmark = pytest.mark.process

APP = """
import json, os, sys

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body = json.dumps({"cwd": os.getcwd(), "word": os.environ.get("WORD")}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
"""


@pytest.fixture
def process_engine() -> Iterator[ProcessEngine]:
    engine = ProcessEngine(assets())
    yield engine
    engine.close()


@pytest.fixture
def target(tmp_path: Path) -> Target:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/main.py").write_text(APP)
    (tmp_path / "requirements.txt").write_text("h11==0.14.0\n")
    return Target(
        name=f"Test {tmp_path.name}",
        app="main:app",
        context=str(tmp_path),
        app_dir="src",
        requirements="requirements.txt",
    )


def answer(url: str) -> dict[str, str]:
    deadline_s = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return dict(json.load(response))
        except OSError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.05)


def test_a_team_s_app_runs_in_its_own_directory_with_its_own_versions(
    process_engine: ProcessEngine, target: Target
) -> None:
    home = process_engine.build("uvicorn-plain", target)
    listed = subprocess.run(
        [f"{home}/bin/python", "-c", "import importlib.metadata as m; print(m.version('h11'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout == "0.14.0\n"
    variant = Variant(recipe="uvicorn-plain", workers=1)
    (process,) = processes(variant, target, {"WORD": "well met"})
    spec = DeploymentSpec(
        name=variant.id,
        image=home,
        argv=process.argv,
        env=process.env,
        cpus=tuple(os.sched_getaffinity(0)),
        cwd=target.context,
    )
    with process_engine.running(spec) as deployment:
        assert answer(f"{deployment.base_url}/") == {"cwd": target.context, "word": "well met"}
        assert answer(f"{deployment.base_url}/.harness/probe")["variant_id"] == variant.id


def test_what_does_not_go_together_is_one_failed_recipe(
    process_engine: ProcessEngine, target: Target
) -> None:
    (Path(target.context) / "requirements.txt").write_text("h11==0.7.0\n")
    with pytest.raises(BuildFailed, match=f"target '{target.name}'") as caught:
        process_engine.build("uvicorn-plain", target)
    assert "h11==0.7.0" in caught.value.log_tail
    assert process_engine.build(OWN_COMMAND, target)


def test_requirements_that_cannot_be_installed_end_the_run(
    process_engine: ProcessEngine, target: Target
) -> None:
    (Path(target.context) / "requirements.txt").write_text("./nowhere\n")
    with pytest.raises(AppImageFailed, match=r"requirements\.txt of .* could not be installed(.|\n)*nowhere"):
        process_engine.build("uvicorn-plain", target)


def test_what_only_containers_can_give_is_refused_by_name(
    process_engine: ProcessEngine, target: Target
) -> None:
    services = (Service(name="db", image="harness/postgres"),)
    for changes, name in (
        ({"image": "shop:1"}, "target.image"),
        ({"dockerfile": "Dockerfile"}, "target.dockerfile"),
        ({"services": services}, "target.services"),
    ):
        with pytest.raises(VariantError, match=rf"no containers for {name}\.\nFix: "):
            process_engine.build("uvicorn-plain", replace(target, **changes))  # type: ignore[arg-type]
    with (
        pytest.raises(VariantError, match=r"target\.services"),
        process_engine.services(replace(target, services=services), image="", env={}, cpus=(), life="run"),
    ):
        pass
