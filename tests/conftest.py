"""What every test may need. Tests marked `engine` get a Docker engine, or fail where one could be had."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.adapters.docker_build import base_image
from harness.adapters.docker_client import connect
from harness.errors import EnvironmentProblem

pytest_plugins = ["tests.promises"]
PROJECT = Path(__file__).parent.parent
SETUP_TIMEOUT_S = 600


@pytest.fixture(autouse=True)
def _engine_where_asked_for(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("engine"):
        request.getfixturevalue("docker_here")


@pytest.fixture(scope="session")
def docker_here() -> None:
    """A Docker engine with a base image, set up if need be.

    Only where neither is there and we may not install them is a test skipped, saying so.
    """
    for script in ("setup-engine.sh", "setup-base-image.sh"):
        problem = _missing()
        if problem is None:
            return
        if not _must_have_engine():
            pytest.skip(problem)
        subprocess.run([PROJECT / "scripts" / script], timeout=SETUP_TIMEOUT_S, check=False)
    if problem := _missing():
        pytest.fail(f"The set-up scripts ran and still: {problem}", pytrace=False)


def _missing() -> str | None:
    try:
        client = connect()
        try:
            base_image(client, None)
        finally:
            client.close()
    except EnvironmentProblem as problem:
        return str(problem)
    return None


def _must_have_engine() -> bool:
    wanted = os.environ.get("REQUIRE_ENGINE")
    if wanted is not None:
        return wanted == "1"
    return "CI" in os.environ or (os.geteuid() == 0 and shutil.which("apt-get") is not None)
