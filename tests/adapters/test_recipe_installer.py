"""probe/install.py, which installs a recipe into an image: what it asks pip for."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "probe/install.py"
LOCK = """\
h11==0.16.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via uvicorn
typing_extensions==4.1 ; python_version < '3.15' \\
    --hash=sha256:cc
uvicorn==0.40.0 \\
    --hash=sha256:dd
    # via -r requirements/uvicorn-plain.in
"""


@pytest.fixture
def installer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    specification = importlib.util.spec_from_file_location("install", SCRIPT)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    for name in ("HOME", "RECIPES", "WHEELS", "PROGRAMS", "PROBE"):
        monkeypatch.setattr(module, name, tmp_path / name.lower() if name != "HOME" else tmp_path)
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/r.in").write_text("# why\nuvicorn>=0.37\n")
    (tmp_path / "recipes/r.txt").write_text(LOCK)
    return module


def asked_of(
    installer: ModuleType, monkeypatch: pytest.MonkeyPatch, *outcomes: bool
) -> list[tuple[str, ...]]:
    calls: list[tuple[str, ...]] = []

    def pip(*arguments: str) -> bool:
        calls.append(arguments)
        return outcomes[len(calls) - 1]

    monkeypatch.setattr(installer, "pip", pip)
    monkeypatch.setattr(installer, "installed_here", lambda: {"h11": "0.14.0", "typing-extensions": "4.9"})
    return calls


def test_only_what_is_missing_comes_from_the_lock_with_its_hashes(
    installer: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = asked_of(installer, monkeypatch, True, True)
    assert installer.install("r", False)
    assert (tmp_path / "missing.txt").read_text().split() == ["uvicorn==0.40.0", "--hash=sha256:dd"]
    assert (tmp_path / "installed.txt").read_text() == "h11==0.14.0\ntyping-extensions==4.9\n"
    locked, checked = calls
    assert {"--require-hashes", ":all:", str(tmp_path / "installed.txt")} <= set(locked)
    assert "--no-index" in checked
    assert checked[-1] == str(tmp_path / "recipes/r.in")


@pytest.mark.parametrize(
    ("resolve", "outcomes", "met"), [(False, [False], False), (True, [False, True], True)]
)
def test_a_lock_that_does_not_fit_is_given_up_for_teams_images_only(
    installer: ModuleType, monkeypatch: pytest.MonkeyPatch, resolve: bool, outcomes: list[bool], met: bool
) -> None:
    calls = asked_of(installer, monkeypatch, *outcomes)
    assert installer.install("r", resolve) is met
    assert len(calls) == len(outcomes)
    if resolve:
        assert "--require-hashes" not in calls[-1]
        assert "--constraint" in calls[-1]


def test_it_is_pure_standard_library() -> None:
    isolated = subprocess.run(
        [sys.executable, "-I", "-S", SCRIPT, "--help"], capture_output=True, text=True, check=True
    )
    assert "RECIPE" in isolated.stdout.upper()
