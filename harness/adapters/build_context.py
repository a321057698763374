"""Build contexts as checkouts are: the app, its requirements, and the clutter that piles up next to them."""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass
from pathlib import Path

from harness.adapters.journal import disk_errors

APP, SOURCE = "target_app", "target_app/main.py"
IGNORED = (".git", ".pytest_cache", ".venv", "**/__pycache__")
PACK_BYTES = 8_000_000
MODULE_BYTES, MODULES = 40_000, 300
CACHE_BYTES = 20_000


@dataclass(frozen=True, slots=True)
class BuildContext:
    """A directory to build from; nothing in it belongs to anyone else."""

    path: Path

    @classmethod
    def create(cls, path: Path, project: Path, *, recipe: str, dockerignore: bool) -> BuildContext:
        """A new directory: the project's app, its lock and a recipe's in one, the same clutter each time."""
        with disk_errors(path):
            leave_out = shutil.ignore_patterns("__pycache__")
            shutil.copytree(project / APP, path / APP, ignore=leave_out)
            (path / "requirements").mkdir()
            locks = (project / "requirements" / f"{name}.txt" for name in (APP, recipe))
            (path / "requirements" / f"{recipe}.txt").write_text("".join(lock.read_text() for lock in locks))
            _clutter(path, random.Random(recipe))
            if dockerignore:
                (path / ".dockerignore").write_text("\n".join(IGNORED) + "\n")
        return cls(path)

    def change_source(self, number: int) -> None:
        """Add a line to the app."""
        with disk_errors(self.path), (self.path / SOURCE).open("a", encoding="utf-8") as file:
            file.write(f"# change {number}\n")

    def ignored(self) -> list[str]:
        """The patterns of .dockerignore."""
        file = self.path / ".dockerignore"
        return file.read_text().split() if file.exists() else []


def _clutter(path: Path, rng: random.Random) -> None:
    """A repository, which is packed, a virtual environment, which is text, and caches: about 20 MB."""
    _write(path / ".git" / "objects" / "pack" / "history.pack", rng.randbytes(PACK_BYTES))
    for number in range(MODULES):
        module = rng.randbytes(MODULE_BYTES // 2).hex().encode()
        _write(path / ".venv" / "lib" / f"package{number // 10}" / f"module{number}.py", module)
    for cache in (path / APP / "__pycache__", path / ".pytest_cache"):
        _write(cache / "cached.bin", rng.randbytes(CACHE_BYTES))


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
