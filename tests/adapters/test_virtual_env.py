"""Recipes as virtual environments."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.adapters import virtual_env as module
from harness.adapters.virtual_env import commands, find_uv, virtual_env
from harness.errors import BuildFailed

pytestmark = pytest.mark.process

CHECKOUT = Path(__file__).parent.parent.parent


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    uv = find_uv(CHECKOUT)
    monkeypatch.setattr(module, "find_uv", lambda _: uv)
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/tiny.txt").touch()
    return tmp_path


def python_prefix(home: Path) -> str:
    told = subprocess.run(
        [home / "bin/python", "-c", "import sys; print(sys.prefix)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return told.stdout.strip()


@pytest.mark.parametrize("with_uv", [True, False])
def test_a_recipe_gets_an_environment_of_its_own(
    project: Path, with_uv: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not with_uv:
        monkeypatch.setattr(module, "find_uv", lambda _: None)
    home = virtual_env(project, "tiny")
    assert Path(python_prefix(home)) == home
    assert home.parent == project / ".harness/venvs"


def test_an_environment_is_built_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = virtual_env(project, "tiny")
    monkeypatch.setattr(module, "_build", lambda *_: pytest.fail("built again"))
    assert virtual_env(project, "tiny") == home


def test_a_changed_lock_gets_another_environment(project: Path) -> None:
    before = virtual_env(project, "tiny")
    (project / "requirements/tiny.txt").write_text("# changed\n")
    assert virtual_env(project, "tiny") != before


def test_what_an_interrupted_build_left_is_built_anew(project: Path) -> None:
    home = virtual_env(project, "tiny")
    (home / "complete").unlink()
    (home / "debris").touch()
    assert virtual_env(project, "tiny") == home
    assert not (home / "debris").exists()


def test_a_failed_build_shows_the_last_lines_and_is_tried_again(project: Path) -> None:
    (project / "requirements/tiny.txt").write_text("no-hash-here==1.0\n")
    for _ in range(2):
        with pytest.raises(BuildFailed) as caught:
            virtual_env(project, "tiny")
        assert "hash" in caught.value.log_tail
        assert "builds/tiny.log" in str(caught.value)


def test_a_long_log_is_cut_to_its_last_lines(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noisy = (sys.executable, "-c", "for n in range(100): print('line', n)\nraise SystemExit(1)")
    monkeypatch.setattr(module, "commands", lambda *_: (noisy,))
    with pytest.raises(BuildFailed) as caught:
        virtual_env(project, "tiny")
    assert caught.value.log_tail.splitlines() == [f"line {n}" for n in range(80, 100)]


def test_a_recipe_without_a_lock_is_a_failed_build(project: Path) -> None:
    with pytest.raises(BuildFailed, match=r"unheard-of\.txt is missing"):
        virtual_env(project, "unheard-of")


def test_the_generator_runs_in_this_environment_where_it_can(project: Path) -> None:
    assert virtual_env(project, "generator") == Path(sys.prefix)


@pytest.mark.parametrize("uv", [("/opt/uv",), None])
def test_every_way_of_installing_checks_hashes(uv: tuple[str, ...] | None) -> None:
    *_, install = commands(Path("/home"), [Path("/lock.txt")], uv)
    assert "--require-hashes" in install
    assert install[0] == ("/opt/uv" if uv else "/home/bin/python")


def test_uv_is_found_on_the_path_then_in_the_project_then_here(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = project / "programs"
    own = project / ".harness/uv/bin"
    for directory in (programs, own):
        directory.mkdir(parents=True)
        (directory / "uv").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(module, "_importable", lambda *_: True)
    assert find_uv(project) == (str(programs / "uv"),)
    (programs / "uv").unlink()
    assert find_uv(project) == (str(own / "uv"),)
    (own / "uv").unlink()
    assert find_uv(project) == (sys.executable, "-m", "uv")
    monkeypatch.setattr(module, "_importable", lambda *_: False)
    assert find_uv(project) is None
