"""Temporary files of a run, whose owner may have died."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from harness.adapters.scratch import PREFIX, remove_dead, scratch

KILLED = """
import os, signal, sys, tempfile
from harness.adapters.scratch import scratch
with scratch() as place:
    tempfile.mkdtemp()
    sys.stdout.write(str(place)); sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_temporary_files_of_libraries_and_children_go_there_and_with_it(temporary: Path) -> None:
    with scratch() as place:
        assert place.parent == temporary
        with tempfile.NamedTemporaryFile() as file:
            assert Path(file.name).parent == place
        told = subprocess.run(["mktemp"], capture_output=True, text=True, check=True)
        assert Path(told.stdout.strip()).parent == place
        assert place.stat().st_mode & 0o777 == 0o700
    assert list(temporary.iterdir()) == []
    assert Path(tempfile.gettempdir()) == temporary
    assert os.environ["TMPDIR"] == str(temporary)


def test_engines_of_one_process_share_it_until_the_last_is_closed(temporary: Path) -> None:
    first, second = scratch(), scratch()
    place = first.__enter__()
    assert second.__enter__() == place
    first.__exit__(None, None, None)
    with tempfile.NamedTemporaryFile() as file:
        assert Path(file.name).parent == place
    second.__exit__(None, None, None)
    assert list(temporary.iterdir()) == []
    assert Path(tempfile.gettempdir()) == temporary


@pytest.mark.promise(1, 3)
def test_what_a_killed_owner_left_is_removed_and_nothing_else(temporary: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, check=False)
    left = Path(killed.stdout)
    assert list(left.iterdir())
    others = [temporary / name for name in ("harness-scratch-mine", f"{PREFIX}{'0' * 12}-1-{'0' * 8}", "x")]
    for other in others:
        other.mkdir()
    link = temporary / left.name.replace(left.name[-8:], "0" * 8)
    link.symlink_to(others[2])
    with scratch() as mine:
        assert remove_dead() == [str(left)]
        assert mine.exists()
    assert sorted(temporary.iterdir()) == sorted([*others, link])


@pytest.mark.parametrize("again", [True, False], ids=["another process has its number", "nobody has"])
@pytest.mark.promise(2)
def test_a_number_that_is_used_again_is_another_owner(temporary: Path, again: bool) -> None:
    with scratch() as mine:
        name = mine.name
    parts = name.split("-")
    parts[-1] = "0" * 8
    parts[-2] = str(os.getpid()) if again else str(2**22 + 1)
    dead = temporary / "-".join(parts)
    dead.mkdir()
    assert remove_dead() == [str(dead)]
