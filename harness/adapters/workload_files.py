"""Reads the files that a matrix names, within bounds and inside the matrix's directory; and its secrets."""

from __future__ import annotations

import io
import stat
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from harness.errors import ConfigurationError
from harness.model import Matrix
from harness.planning.schema_base import NAME
from harness.planning.variables import secrets_of

MAX_BYTES = 50_000_000
"""Of a data file, a body or a part of a form."""
MAX_ENV_BYTES = 1_000_000
MAX_ALL_BYTES = 200_000_000
"""Of all files of a matrix together: they are kept in memory, once for each load generator."""


class Unreadable(ValueError):
    """A file that cannot be used; the text says why and how to fix it."""


def inside(root: Path, path: str) -> Path:
    """The file or directory that `path` names below `root`, links followed. Raises Unreadable."""
    base = root.resolve()
    try:
        found = (base / path).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise Unreadable(f"cannot be followed: {error}") from error
    if Path(path).is_absolute() or not found.is_relative_to(base):
        raise Unreadable(f"leads out of {base}. Fix: put it there")
    try:
        found.stat()
    except OSError as error:
        raise Unreadable(f"{found} is not there. Fix: correct the path, relative to {base}") from error
    return found


def read_inside(root: Path, path: str, *, most: int = MAX_BYTES) -> bytes:
    """The content of a regular file below `root`. Raises Unreadable."""
    found = inside(root, path)
    try:
        about = found.stat()
        if not stat.S_ISREG(about.st_mode):
            raise Unreadable(f"{found} is no regular file. Fix: name a file")
        with found.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise Unreadable(f"{found} cannot be read: {error.strerror}") from error
    if len(content) > most:
        raise Unreadable(f"{found} is larger than {most // 1_000_000} MB. Fix: use a part of it")
    return content


def read_all(root: Path, named: Iterable[tuple[str, str]]) -> tuple[dict[str, bytes], list[str]]:
    """Contents by path of files given as key and path, and what is wrong with the others."""
    files: dict[str, bytes] = {}
    problems: list[str] = []
    for key, path in named:
        try:
            if path not in files:
                files[path] = read_inside(root, path)
        except Unreadable as error:
            problems.append(f"{key} = {path!r}: {error}")
    if sum(map(len, files.values())) > MAX_ALL_BYTES:
        problems.append(f"scenarios: their files are larger than {MAX_ALL_BYTES // 1_000_000} MB in all")
    return files, problems


def read_files(matrix_path: Path, matrix: Matrix) -> Mapping[str, bytes]:
    """Every file that the scenarios read, by its path in the matrix.

    Raises ConfigurationError where one cannot be read, or is no longer what was planned.
    """
    hashes = {path: digest for scenario in matrix.scenarios for path, digest in scenario.files_sha256.items()}
    files, problems = read_all(matrix_path.parent, ((path, path) for path in hashes))
    for path, content in files.items():
        if sha256(content).hexdigest() != hashes[path]:
            problems.append(f"{path}: changed while the run was prepared. Fix: run again")
    if problems:
        raise ConfigurationError(str(matrix_path), problems)
    return files


def read_secrets(matrix_path: Path, matrix: Matrix, environ: Mapping[str, str]) -> Mapping[str, str]:
    """Values of the target's `secret_env` and of every {env:NAME}: from env_file, otherwise from `environ`.

    They are for the server's and the load generator's environment and are stored nowhere.
    Raises ConfigurationError.
    """
    env_file = matrix.target.env_file if matrix.target else None
    try:
        values = read_env_file(matrix_path.parent, env_file) if env_file else {}
    except Unreadable as error:
        raise ConfigurationError(str(matrix_path), [f"target.env_file = {env_file!r}: {error}"]) from error
    needed = {name for scenario in matrix.scenarios for name in secrets_of(scenario)}
    known = {**{name: environ[name] for name in needed if name in environ}, **values}
    if missing := sorted(needed - set(known)):
        raise ConfigurationError(
            str(matrix_path),
            [f"the environment variable {name} is not set. Fix: export {name}=..." for name in missing],
        )
    return known


def read_env_file(root: Path, path: str) -> dict[str, str]:
    """The variables of a file of KEY=VALUE lines. Raises Unreadable, without any value in its text."""
    content = read_inside(root, path, most=MAX_ENV_BYTES)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable("is not UTF-8. Fix: save it as UTF-8") from error
    for binding in parse_stream(io.StringIO(text)):
        line = binding.original.line
        if binding.error or (binding.key is not None and binding.value is None):
            raise Unreadable(f"line {line} is not KEY=VALUE. Fix: quote values with blanks or #")
        if binding.key is not None and not NAME.fullmatch(binding.key):
            raise Unreadable(f"line {line}: the name is not made of letters, digits and _")
        if binding.key is not None and binding.key.startswith("HARNESS_"):
            raise Unreadable(f"line {line}: names with HARNESS_ are the harness's own")
        if "\0" in (binding.value or ""):
            raise Unreadable(f"line {line}: the value holds a null character")
    # A value with a $ is meant as it stands: container engines do not expand it either.
    values = dotenv_values(stream=io.StringIO(text), interpolate=False)
    return {name: value for name, value in values.items() if value is not None}
