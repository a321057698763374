"""Where a run's temporary files go: one directory of its own, so that nothing stays when it is killed.

Libraries make temporary files too: the docker SDK packs build contexts into one. So the whole process, and
what it starts, is told that directory. Its name says who owns it, as labels do for containers.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.adapters import ownership

PREFIX = "harness-scratch-"
_NAME = re.compile(rf"{PREFIX}(?P<machine>[0-9a-f]{{12}})-(?P<pid>\d+)-[0-9a-f]{{8}}")


_users = 0
"""How many of this process's engines are open: they share one directory, and the last one removes it."""
_before: tuple[str | None, str | None] = None, None


@contextmanager
def scratch() -> Iterator[Path]:
    """Temporary files go into a directory of this process until its last user ends, which removes it."""
    global _users, _before
    place = _base() / _name(os.getpid(), ownership.start_time(os.getpid()) or "")
    if not _users:
        _before = tempfile.tempdir, os.environ.get("TMPDIR")
        place.mkdir(mode=0o700, exist_ok=True)
        tempfile.tempdir = os.environ["TMPDIR"] = str(place)
    _users += 1
    try:
        yield place
    finally:
        _users -= 1
        if not _users:
            tempfile.tempdir, variable = _before
            if variable is None:
                del os.environ["TMPDIR"]
            else:
                os.environ["TMPDIR"] = variable
            shutil.rmtree(place, ignore_errors=True)


def remove_dead() -> list[str]:
    """Remove the directories of this user's dead owners on this machine; the names of what was removed."""
    removed = []
    for place in sorted(_base().glob(f"{PREFIX}*")):
        if _is_dead(place):
            shutil.rmtree(place, ignore_errors=True)
            removed += [str(place)] if not place.exists() else []
    return removed


def _base() -> Path:
    """The directory of temporary files, also from inside of one that is here."""
    here = Path(tempfile.gettempdir())
    return here.parent if _NAME.fullmatch(here.name) else here


def _is_dead(place: Path) -> bool:
    named = _NAME.fullmatch(place.name)
    if named is None or named["machine"] != _machine() or place.is_symlink():
        return False
    # A directory of another user cannot be ours, whatever it is called.
    if place.stat().st_uid != os.geteuid():
        return False
    start = ownership.start_time(pid := int(named["pid"]))
    return start is None or place.name != _name(pid, start)


def _name(pid: int, start: str) -> str:
    return f"{PREFIX}{_machine()}-{pid}-{_short(f'{ownership.boot_id()} {start}', 8)}"


def _machine() -> str:
    return _short(ownership.host(), 12)


def _short(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]
