import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.adapters.run_lock import run_lock
from harness.errors import EnvironmentProblem, ExitCode

HOLD = """
import sys
from pathlib import Path
from harness.adapters.run_lock import run_lock
with run_lock("first", wait=False, path=Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def held(tmp_path: Path) -> tuple[subprocess.Popen[str], Path]:
    path = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    yield holder, path
    holder.kill()
    holder.wait()


@pytest.mark.promise(20)
def test_a_second_run_is_refused_and_told_who_holds_the_host(
    held: tuple[subprocess.Popen[str], Path],
) -> None:
    holder, path = held
    with pytest.raises(EnvironmentProblem, match=f"run first, process {holder.pid}") as error:  # noqa: SIM117
        with run_lock("second", wait=False, path=path):
            pass
    assert error.value.exit_code == ExitCode.ENVIRONMENT


@pytest.mark.promise(20)
def test_a_killed_holder_leaves_no_lock(held: tuple[subprocess.Popen[str], Path]) -> None:
    holder, path = held
    holder.kill()
    holder.wait()
    with run_lock("second", wait=False, path=path):
        assert "second" in path.read_text()


@pytest.mark.promise(20)
def test_a_waiting_run_says_whom_it_waits_for_and_goes_on_when_that_ends(
    held: tuple[subprocess.Popen[str], Path],
) -> None:
    holder, path = held
    said: list[str] = []

    def end_the_first(message: str) -> None:
        said.append(message)
        assert holder.stdin is not None
        holder.stdin.close()

    with run_lock("second", wait=True, say=end_the_first, path=path):
        assert "second" in path.read_text()
    (message,) = said
    assert f"run first, process {holder.pid}" in message


def test_even_a_run_that_waits_gives_up_in_the_end(held: tuple[subprocess.Popen[str], Path]) -> None:
    _, path = held
    waiting = run_lock("second", wait=True, path=path, max_wait_s=0.01)
    with pytest.raises(EnvironmentProblem, match=r"run first.*not ended within 0\.01 s"), waiting:
        pass


@pytest.mark.promise(20)
def test_a_temporary_directory_of_ones_own_does_not_hide_other_runs(
    held: tuple[subprocess.Popen[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, path = held
    monkeypatch.setattr("harness.adapters.run_lock.DEFAULT", path)
    monkeypatch.delenv("HARNESS_RUN_LOCK", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with pytest.raises(EnvironmentProblem, match="another run"), run_lock("second", wait=False):
        pass


def test_a_run_that_finds_the_host_free_says_nothing(tmp_path: Path) -> None:
    with run_lock("only", wait=True, say=pytest.fail, path=tmp_path / "lock"):
        pass


def test_the_lock_is_for_every_user_of_the_host(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    before = os.umask(0o077)
    try:
        with run_lock("first", wait=False, path=path):
            assert path.stat().st_mode & 0o777 == 0o666
    finally:
        os.umask(before)


AS_ANOTHER_USER = """
import os, sys
from pathlib import Path
from harness.adapters.run_lock import run_lock
from harness.errors import EnvironmentProblem
if os.geteuid() == 0:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
try:
    with run_lock("theirs", wait=False, path=Path(sys.argv[1])):
        print("held")
except EnvironmentProblem as problem:
    print(problem)
"""


@pytest.fixture
def shared() -> Iterator[Path]:
    """A path that any user of the machine reaches, unlike pytest's own directories."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory) / "lock"


def as_another_user(path: Path) -> str:
    argv = [sys.executable, "-c", AS_ANOTHER_USER, str(path)]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def test_a_file_that_may_only_be_read_can_be_locked(shared: Path) -> None:
    shared.write_text("run earlier, process 1")
    shared.chmod(0o444)
    assert as_another_user(shared) == "held"
    with run_lock("first", wait=False, path=shared):
        assert "another run measures on this host: run" in as_another_user(shared)


def test_a_file_that_may_not_even_be_read_is_named(shared: Path) -> None:
    shared.touch()
    shared.chmod(0)
    assert re.search(rf"{shared} cannot be opened .*Permission denied.*rm {shared}", as_another_user(shared))


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    precious, path = tmp_path / "precious", tmp_path / "lock"
    precious.write_text("precious")
    path.symlink_to(precious)
    with pytest.raises(EnvironmentProblem, match="cannot be opened"), run_lock("x", wait=False, path=path):
        pass
    assert precious.read_text() == "precious"
