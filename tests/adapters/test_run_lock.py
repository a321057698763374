import subprocess
import sys
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


def test_a_second_run_is_refused_and_told_who_holds_the_host(
    held: tuple[subprocess.Popen[str], Path],
) -> None:
    holder, path = held
    with pytest.raises(EnvironmentProblem, match=f"run first, process {holder.pid}") as error:  # noqa: SIM117
        with run_lock("second", wait=False, path=path):
            pass
    assert error.value.exit_code == ExitCode.ENVIRONMENT


def test_a_killed_holder_leaves_no_lock(held: tuple[subprocess.Popen[str], Path]) -> None:
    holder, path = held
    holder.kill()
    holder.wait()
    with run_lock("second", wait=False, path=path):
        assert "second" in path.read_text()


def test_a_waiting_run_goes_on_when_the_first_ends(held: tuple[subprocess.Popen[str], Path]) -> None:
    holder, path = held
    assert holder.stdin is not None
    holder.stdin.close()
    with run_lock("second", wait=True, path=path):
        assert "second" in path.read_text()
