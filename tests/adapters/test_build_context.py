"""Build contexts: the same each time, with the clutter of a checkout, and a source that changes."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from harness.adapters.build_context import IGNORED, BuildContext

PROJECT = Path(__file__).parent.parent.parent


def contents(path: Path) -> dict[str, str]:
    files = (file for file in path.rglob("*") if file.is_file())
    return {str(file.relative_to(path)): sha256(file.read_bytes()).hexdigest() for file in files}


def context(path: Path, *, dockerignore: bool = True) -> BuildContext:
    return BuildContext.create(path, PROJECT, recipe="uvicorn-plain", dockerignore=dockerignore)


def test_two_contexts_are_alike_but_for_the_dockerignore(tmp_path: Path) -> None:
    one, other = context(tmp_path / "one"), context(tmp_path / "other", dockerignore=False)
    assert set(contents(one.path).items()) - set(contents(other.path).items()) == {
        (".dockerignore", contents(one.path)[".dockerignore"])
    }
    assert one.ignored() == list(IGNORED)
    assert other.ignored() == []


def test_it_holds_the_app_one_lock_file_and_some_megabytes_of_clutter(tmp_path: Path) -> None:
    path = context(tmp_path / "one").path
    assert (path / "target_app" / "main.py").is_file()
    assert [file.name for file in (path / "requirements").iterdir()] == ["uvicorn-plain.txt"]
    clutter = sum(file.stat().st_size for name in (".git", ".venv") for file in (path / name).rglob("*"))
    assert clutter > 10_000_000


def test_a_change_adds_one_line_to_the_copy_and_none_to_the_project(tmp_path: Path) -> None:
    copy = context(tmp_path / "one")
    before = (PROJECT / "target_app" / "main.py").read_text()
    copy.change_source(7)
    assert (copy.path / "target_app" / "main.py").read_text() == before + "# change 7\n"
    assert (PROJECT / "target_app" / "main.py").read_text() == before
