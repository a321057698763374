"""Every server's recipe answers alike, byte for byte, with the wrapper around the app and without."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from harness.adapters.assets import assets
from harness.adapters.controlled_container import RUNTIME_DIR, ControlledContainer
from harness.adapters.docker_engine import DockerEngine
from harness.deployment import DeploymentSpec
from harness.model import OWN_COMMAND, Variant
from harness.planning.commands import deployed, processes
from harness.planning.example import EXAMPLE
from harness.recipes import RECIPES, image_of
from tests.probe.odd_requests import CLOSE, cases, request, spoken

pytestmark = pytest.mark.engine

HERE = Path(__file__).parent
ODD = replace(
    EXAMPLE, app="odd_app:app", env={"PYTHONPATH": f"/opt/harness:{RUNTIME_DIR}", "PYTHONHASHSEED": "0"}
)
SAME_SERVER = {
    "uvicorn-mounted": "a setting of the example app",
    "uvicorn-tls": "the server of uvicorn-standard, behind TLS",
    "nginx-plain": "the server of uvicorn-standard, behind nginx",
    "nginx-tls": "the server of uvicorn-standard, behind nginx",
    "nginx-replicas": "the server of uvicorn-standard, behind nginx",
    "gunicorn-sync": "cannot serve an ASGI app",
    OWN_COMMAND: "is never wrapped",
}
AT_ONCE = 32
"""Some servers leave connections open that they were asked to close, and each is waited for."""
SERVERS = tuple(recipe for recipe in RECIPES if recipe not in SAME_SERVER)
READY_S = 30.0


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    engine = DockerEngine(assets(), f"test-{uuid.uuid4().hex[:8]}")
    try:
        yield engine
    finally:
        engine.close()


@contextmanager
def served(engine: DockerEngine, variant: Variant, directory: Path) -> Iterator[ControlledContainer]:
    directory.mkdir()
    directory.chmod(0o777)  # the app runs as a user of the image
    shutil.copy(HERE / "odd_app.py", directory)
    # Some recipes have no command of their own for a bare app, as nothing measures them bare.
    started = deployed if variant.bare else processes
    process, *_ = started(variant, ODD, ODD.env)
    spec = DeploymentSpec(
        name=f"{'bare' if variant.bare else 'wrapped'}-{variant.recipe}",
        image=engine.build(image_of(variant.recipe)),
        argv=process.argv,
        env=process.env,
        cpus=tuple(sorted(os.sched_getaffinity(0))),
        network="host",
        stop_timeout_s=0,
    )
    with engine.controlled(spec, runtime_dir=directory) as container:
        yield container


def everything(engine: DockerEngine, variant: Variant, directory: Path) -> dict[str, bytes]:
    """What each conversation heard of this variant; what is not counted is passed on alike by all servers."""
    with served(engine, variant, directory) as container:
        until_ready(container)
        conversations = cases(numbered=True)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = pool.map(lambda say: say(container.port), conversations.values())
            return dict(zip(conversations, answers, strict=True))


def until_ready(container: ControlledContainer) -> None:
    deadline_s = time.monotonic() + READY_S
    while True:
        try:
            if spoken(container.port, request("GET /state HTTP/1.1", CLOSE, numbered=False)):
                return
        except ConnectionRefusedError:
            pass
        assert container.state().running, container.log()
        assert time.monotonic() < deadline_s, container.log()
        time.sleep(0.05)


def test_every_recipe_is_one_of_these_or_the_same_server() -> None:
    assert {*SERVERS, *SAME_SERVER} == set(RECIPES)


@pytest.mark.parametrize("recipe", SERVERS)
def test_a_server_answers_alike_with_the_wrapper_and_without(
    recipe: str, engine: DockerEngine, tmp_path: Path
) -> None:
    wrapped = Variant(recipe=recipe, workers=1, network="host")
    arms = (replace(wrapped, bare=True), wrapped)
    with ThreadPoolExecutor(2) as pool:
        bare, other = pool.map(lambda arm: everything(engine, arm, tmp_path / str(arm.bare)), arms)
    assert {name: (bare[name], heard) for name, heard in other.items() if heard != bare[name]} == {}
    assert b'"made_at_start": "shared"' in bare["GET /raw/scope_dump/a/b?x=1&x=2&empty= HTTP/1.1"]
