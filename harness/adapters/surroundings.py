"""Looks around a [target]: its context, requirements, app and env_file."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from harness.adapters.context_files import python_files, requirement_files
from harness.adapters.git_versions import commit_of, has_changes
from harness.adapters.workload_files import Unreadable, inside, read_env_file
from harness.planning.discovery import find_apps
from harness.planning.schema import MatrixFile
from harness.planning.schema_target import TargetTable
from harness.planning.target_checks import Surroundings, must_be_found, versions_of


def surroundings(directory: Path, file: MatrixFile) -> Surroundings | None:
    """What is there, for the [target] of a file in this directory; None without one."""
    table = file.target
    if table is None:
        return None
    # A context may lie above the file, such as "..": it is the team's own directory.
    context = (directory / table.context).resolve()
    problems: list[str] = []
    secret_names: tuple[str, ...] = ()
    if context == Path("/") or not context.is_dir():
        problems.append(f"target.context = {table.context!r}: {context} is no directory to build from")
        context_is_there = False
    else:
        context_is_there = True
        problems.extend(_path_problems(context, table))
    if table.env_file is not None:
        try:
            secret_names = tuple(sorted(read_env_file(directory, table.env_file)))
        except Unreadable as error:
            problems.append(f"target.env_file = {table.env_file!r}: {error}")
    commits: dict[str, str] = {}
    hashes: dict[str, str] = {}
    if context_is_there:
        commits, hashes = _versions(context, file, problems)
    files = python_files(context) if context_is_there and must_be_found(file) else {}
    return Surroundings(
        context=str(context),
        requirement_files=requirement_files(context) if context_is_there else frozenset(),
        has_dockerfile=(context / "Dockerfile").is_file(),
        apps=find_apps(files),
        looked_at=sum(name.endswith(".py") for name in files),
        secret_names=secret_names,
        commits=commits,
        hashes=hashes,
        uncommitted=bool(commits) and has_changes(context),
        problems=tuple(problems),
    )


def _versions(context: Path, file: MatrixFile, problems: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The commits of the versions' refs, by ref, and the hashes of their requirements files, by path.

    What is wrong with any version goes to `problems`.
    """
    commits: dict[str, str] = {}
    hashes: dict[str, str] = {}
    for key, version in versions_of(file):
        try:
            if version.requirements is not None:
                path = inside(context, version.requirements)
                if not path.is_file():
                    raise Unreadable("is no file. Fix: name one in the context")
                hashes[version.requirements] = sha256(path.read_bytes()).hexdigest()
            if version.ref is not None and version.ref not in commits:
                commits[version.ref] = commit_of(context, version.ref)
        except Unreadable as error:
            problems.append(f"{key} = {(version.requirements or version.ref)!r}: {error}")
    return commits, hashes


def _path_problems(context: Path, table: TargetTable) -> Iterator[str]:
    for key in ("requirements", "dockerfile"):
        path = getattr(table, key)
        try:
            if path is not None and not inside(context, path).is_file():
                raise Unreadable("is no file. Fix: name one in the context")
        except Unreadable as error:
            yield f"target.{key} = {path!r}: {error}"
    in_context = table.app_dir is not None and not table.app_dir.startswith("/")
    # What an image holds is only known once it is there.
    if in_context and table.image is None and table.dockerfile is None:
        try:
            if not inside(context, table.app_dir or "").is_dir():
                raise Unreadable("is no directory. Fix: name one in the context")
        except Unreadable as error:
            yield f"target.app_dir = {table.app_dir!r}: {error}"
