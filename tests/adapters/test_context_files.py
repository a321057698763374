"""What is read of a build context in search of the app, and what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.adapters import context_files
from harness.adapters.context_files import python_files, requirement_files


def write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n")


def test_reads_python_files_and_leaves_out_what_holds_no_app(tmp_path: Path) -> None:
    write(tmp_path, "pyproject.toml", "a.py", "pkg/web.py", ".venv/x.py", "tests/x.py", "node_modules/x.py")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "big.py").write_bytes(b"#" * 1_000_001)
    assert set(python_files(tmp_path)) == {"pyproject.toml", "a.py", "pkg/web.py"}


def test_stops_at_a_bound_with_the_usual_places_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context_files, "MAX_FILES", 2)
    write(tmp_path, "a.py", "b.py", "app/main.py", "c.py")
    assert set(python_files(tmp_path)) == {"app/main.py", "a.py"}


def test_a_file_that_is_no_text_is_harmless(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_bytes(b"\xff\xfe\0")
    assert set(python_files(tmp_path)) == {"main.py"}


def test_names_the_requirements_there_are(tmp_path: Path) -> None:
    write(tmp_path, "uv.lock", "requirements.txt", "setup.py")
    assert requirement_files(tmp_path) == {"uv.lock", "requirements.txt"}
