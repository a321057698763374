"""The set-up scripts on a machine of their own: a PATH that holds only what a test puts there."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent.parent.parent / "scripts"
TOOLS = (
    *("basename", "bash", "cat", "chmod", "dirname", "env", "flock", "install", "kill", "mkdir", "mktemp"),
    *("rm", "setsid", "sha256sum", "sleep", "tail", "tar", "timeout", "touch", "umount"),
)


@dataclass
class Machine:
    """A checkout with the scripts in it, and the programs that the machine is said to have."""

    root: Path

    @property
    def project(self) -> Path:
        return self.root / "project"

    @property
    def var(self) -> Path:
        return self.root / "var"

    @property
    def calls(self) -> list[str]:
        """What the programs were called with, in order."""
        file = self.root / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def has(self, name: str, body: str = "exit 0") -> None:
        """A program that records how it is called, then does `body`."""
        self._write(self.root / "bin" / name, f'echo "{name} $*" >>"$ROOT/calls"\n{body}')

    def has_script(self, name: str, body: str) -> None:
        """Put another script in the place of one of the project's."""
        self._write(self.project / "scripts" / name, body)

    def start(self, script: str, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.project / "scripts" / script],
            env={
                "PATH": str(self.root / "bin"),
                "ROOT": str(self.root),
                "HARNESS_VAR_DIR": str(self.var),
                "TMPDIR": str(self.root / "tmp"),
                **env,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, script: str, **env: str) -> tuple[int, str]:
        """Exit code and output of a script."""
        process = self.start(script, **env)
        said, _ = process.communicate(timeout=60)
        return process.returncode, said

    @staticmethod
    def _write(path: Path, body: str) -> None:
        path.unlink(missing_ok=True)
        path.write_text(f"#!{shutil.which('bash')}\n{body}\n")
        path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    for directory in ("bin", "tmp", "var/run"):
        (tmp_path / directory).mkdir(parents=True)
    shutil.copytree(SCRIPTS, made.project / "scripts")
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None, tool
        (tmp_path / "bin" / tool).symlink_to(found)
    yield made
    started = tmp_path / "started"
    for pid in started.read_text().split() if started.exists() else ():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            continue
