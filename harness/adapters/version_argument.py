"""What a version on the command line stands for: requirements, packages, a git ref, an image, or files."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from harness.adapters.git_versions import commit_of
from harness.adapters.workload_files import Unreadable
from harness.errors import ConfigurationError
from harness.planning.schema_factors import VersionTable
from harness.planning.versions import Level, version_name

AS_IT_LIES = "."
KINDS = ("requirements", "packages", "ref", "image")
PINNED = "=="
REQUIREMENTS = (".txt", ".toml", ".lock")


def version_level(text: str, context: Path, *, taken: str | None = None) -> Level:
    """What a text such as "requirements:new.txt", "ref:main" or "image:orders:1.4" stands for.

    "." is the context as it lies there. Without a kind, "fastapi==0.115.0" is a package, what ends like
    requirements a file of the context, and the rest a git ref where there is one of that name, else an image.
    Several packages are divided by commas. `taken` names the other version. Raises ConfigurationError.
    """
    if text == AS_IT_LIES:
        return "none"
    kind, colon, value = text.partition(":")
    if not colon or kind not in KINDS:
        kind, value = _kind(text, context), text
    named = {"name": version_name(value, taken=taken)}
    try:
        return VersionTable.model_validate({**named, kind: value.split(",") if kind == "packages" else value})
    except ValidationError as error:
        raise ConfigurationError(
            text, [one["msg"].removeprefix("Value error, ") for one in error.errors()]
        ) from error


def _kind(text: str, context: Path) -> str:
    if PINNED in text:
        return "packages"
    if Path(text).suffix in REQUIREMENTS:
        return "requirements"
    try:
        commit_of(context, text)
    except Unreadable:
        return "image"
    return "ref"
