"""Versions of a build context in its git repository. The work tree and the repository stay as they are."""

from __future__ import annotations

import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from harness.adapters.workload_files import Unreadable
from harness.errors import AppImageFailed

TIMEOUT_S = 120
SUBMODULE = b"160000 "
"""The mode of an entry that is another repository's commit."""


def commit_of(context: Path, ref: str) -> str:
    """The full id of the commit that a branch, tag or commit of the context's repository stands for.

    Raises Unreadable where there is none, or it cannot be laid out in full.
    """
    if not context.is_dir():
        raise Unreadable(f"{context} is no directory")
    if _git(context, "rev-parse", "--is-inside-work-tree").returncode != 0:
        raise Unreadable(f"{context} lies in no git repository. Fix: take requirements or an image instead")
    found = _git(context, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if found.returncode != 0:
        raise Unreadable(f"is no branch, tag or commit in {context}. Fix: correct it, or fetch it first")
    commit = found.stdout.decode().strip()
    entries = _git(context, "ls-tree", "-r", "-z", commit, ".").stdout.split(b"\0")
    if not any(entries):
        raise Unreadable(f"has no files at {context}. Fix: name a ref in which the context is there")
    modules = [
        entry.partition(b"\t")[2].decode(errors="replace") for entry in entries if entry.startswith(SUBMODULE)
    ]
    if modules:
        raise Unreadable(
            f"holds submodules ({', '.join(modules[:3])}), which are not laid out. "
            "Fix: build an image of each version, and name the images"
        )
    return commit


def has_changes(context: Path) -> bool:
    """Whether tracked files of the context differ from the commit that is checked out.

    New files are left aside: results and the matrix itself often lie there.
    """
    return bool(_git(context, "status", "--porcelain", "--untracked-files=no", "--", ".").stdout.strip())


@contextmanager
def laid_out(context: Path, commit: str) -> Iterator[Path]:
    """A temporary directory with the files that the context has at a commit. Raises AppImageFailed."""
    with (
        tempfile.TemporaryDirectory(prefix="harness-version-") as directory,
        tempfile.TemporaryFile() as archive,
    ):
        packed = _git(context, "archive", "--format=tar", commit, to=archive)
        if packed.returncode != 0:
            words = packed.stderr.decode(errors="replace").strip()
            raise AppImageFailed(f"git archive {commit[:12]} in {context} failed: {words}")
        archive.seek(0)
        with tarfile.open(fileobj=archive) as files:
            files.extractall(directory, filter="tar")
        yield Path(directory)


def _git(context: Path, *arguments: str, to: IO[bytes] | None = None) -> subprocess.CompletedProcess[bytes]:
    """What it prints goes to the file `to`, or is kept."""
    try:
        return subprocess.run(
            ["git", *arguments],
            cwd=context,
            env={**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            stdout=to or subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=TIMEOUT_S,
        )
    except FileNotFoundError as error:
        raise Unreadable("needs git, which is not on the PATH. Fix: install it") from error
