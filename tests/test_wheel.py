"""What users install: the wheel, in an environment of its own, used where nothing of ours is."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from harness import __version__
from harness.adapters.assets import assets
from harness.adapters.virtual_env import find_uv
from tests.outcomes import assert_measured

PROJECT = assets()
DEVELOPMENT_ONLY = ("dev.txt", "__pycache__", ".harness", "results", "tests")

MATRIX = """
name = "tiny"
[factors]
recipe = ["uvicorn-standard"]
[[scenarios]]
name = "items"
load = { clients = 4 }
warmup_s = 0.2
measure_s = 0.5
[design]
blocks = 1
wrapper_cost = false
"""

APP = """
from fastapi import FastAPI

app = FastAPI()


@app.get("/items")
def items(limit: int = 10):
    return [{"id": number} for number in range(limit)]
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class Installed:
    """The wheel in an empty environment, and an empty directory and home to use it in."""

    def __init__(self, directory: Path, wheel: Path) -> None:
        self.environment, self.home = directory / "environment", directory / "home"
        self.here = directory / "here"
        uv = find_uv(PROJECT)
        if uv is None:
            venv, install = [sys.executable, "-m", "venv", self.environment], ["-m", "pip", "install", wheel]
        else:
            venv = [*uv, "venv", "--python", sys.executable, self.environment]
            install = [*uv, "pip", "install", "--python", self.environment, wheel]
        subprocess.run(venv, check=True, capture_output=True)
        installer = install if uv else [self.environment / "bin" / "python", *install]
        subprocess.run(installer, check=True, capture_output=True)
        self.home.mkdir()
        self.here.mkdir()

    def harness(self, *arguments: str | Path, here: Path | None = None) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if name in KEPT}
        return subprocess.run(
            [self.environment / "bin" / "harness", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=here or self.here,
            env={
                "PATH": os.defpath,
                "HOME": str(self.home),
                "HARNESS_RUN_LOCK": str(self.home / "lock"),
                "TMPDIR": str(self.home),
                "NO_COLOR": "1",
                "COLUMNS": "120",
                **kept,
            },
            timeout=300,
            check=False,
        )

    @property
    def shipped(self) -> Path:
        (found,) = self.environment.glob("lib/python3*/site-packages/harness/_shipped")
        return found

    def files(self) -> dict[Path, int]:
        """Of what ships, less the bytecode that Python itself may keep."""
        found = (path for path in self.shipped.rglob("*") if "__pycache__" not in path.parts)
        return {path: path.stat().st_mtime_ns for path in found if path.is_file()}


KEPT = ("PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "HTTP_PROXY", "HTTPS_PROXY", "SSL_CERT_FILE")
"""How packages are reached from here; the process engine installs some."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", directory],
        check=True,
        capture_output=True,
        cwd=PROJECT,
    )
    (built,) = directory.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("user"), wheel)


def test_the_wheel_holds_what_images_are_made_of_and_nothing_of_development(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    shipped = {name.removeprefix("harness/_shipped/") for name in names if "/_shipped/" in name}
    copied = [
        source
        for line in (PROJECT / "Dockerfile.variants").read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    ]
    for source in (*copied, "Dockerfile.variants", ".dockerignore", "matrices/quick.toml", "oracles"):
        assert any(name == source or name.startswith(f"{source}/") for name in shipped), source
    assert [name for name in names for part in DEVELOPMENT_ONLY if part in Path(name).parts] == []


def test_a_source_distribution_makes_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-d", tmp_path]
    subprocess.run([*build, "-t", "sdist"], check=True, capture_output=True, cwd=PROJECT)
    (sdist,) = tmp_path.glob("*.tar.gz")
    subprocess.run(["tar", "-xf", sdist, "-C", tmp_path], check=True)
    source = tmp_path / sdist.name.removesuffix(".tar.gz")
    subprocess.run([*build, "-t", "wheel"], check=True, capture_output=True, cwd=source)
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(tmp_path / wheel.name) as other:
        assert sorted(one.namelist()) == sorted(other.namelist())


def test_it_knows_what_it_brought(installed: Installed) -> None:
    assert installed.harness("--version").stdout.strip() == __version__
    assert "selfcheck" in installed.harness("study", "--help").stdout
    listed = installed.harness("list")
    assert listed.returncode == 0, listed.stderr
    assert "  quick\n" in listed.stdout
    assert "  items\n" in listed.stdout
    planned = installed.harness("plan", "--matrix", "quick")
    assert planned.returncode == 0, planned.stderr
    assert "block 1:" in planned.stdout


def test_doctor_names_no_script_that_is_not_there(installed: Installed) -> None:
    checked = installed.harness("doctor")
    assert checked.returncode in (0, 3), checked.stderr
    assert "Docker engine" in checked.stdout
    assert "scripts/" not in checked.stdout


def shorten(matrix: Path) -> None:
    """To two trials of half a second, and nothing next to them."""
    text = matrix.read_text()
    for long, short in (
        ("blocks = 6", "blocks = 1\nwrapper_cost = false"),
        ("measure_s = 3.0", "measure_s = 0.5"),
        ('["uvicorn-standard", "gunicorn-uvicorn"]', '["uvicorn-standard"]'),
        ("workers = [1, 2]", "workers = [1]"),
    ):
        assert long in text
        text = text.replace(long, short)
    matrix.write_text(text)


def test_an_app_goes_from_nothing_to_a_report(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(APP)
    (tmp_path / "requirements.txt").write_text("fastapi\n")
    made = installed.harness("init", here=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "GET /items, expecting 200" in made.stdout
    planned = installed.harness("plan", here=tmp_path)
    assert planned.returncode == 0, planned.stderr
    shorten(tmp_path / "harness.toml")
    ran = installed.harness("run", "--engine", "process", here=tmp_path)
    assert_measured(ran.returncode, ran.stdout + ran.stderr)
    assert "Report: results/" in ran.stdout


def test_a_run_without_containers_is_measured_shown_and_reported(installed: Installed) -> None:
    before = installed.files()
    (installed.here / "tiny.toml").write_text(MATRIX)
    ran = installed.harness("run", "--matrix", "tiny.toml", "--engine", "process")
    assert_measured(ran.returncode, ran.stdout + ran.stderr)
    assert "Report: results/" in ran.stdout
    assert installed.harness("show").returncode == 0
    reported = installed.harness("report")
    assert reported.returncode == 0, reported.stderr
    page = installed.here / reported.stdout.splitlines()[0]
    assert page.stat().st_size > 10_000
    for said in (ran.stdout, page.with_suffix(".md").read_text()):
        assert "not comparable" in said
    assert installed.files() == before
    assert sorted(path.name for path in installed.here.iterdir()) == ["results", "tiny.toml"]
    assert (installed.home / ".cache" / "harness" / "venvs").is_dir()
