"""What a version on the command line stands for: requirements, a git ref, an image, or the files there."""

from __future__ import annotations

from pathlib import Path

from harness.adapters.git_versions import commit_of
from harness.adapters.workload_files import Unreadable
from harness.planning.schema_factors import VersionTable
from harness.planning.two_versions import Level, version_name

AS_IT_LIES = "."
KINDS = ("requirements", "ref", "image")
REQUIREMENTS = (".txt", ".toml", ".lock")


def version_level(text: str, context: Path, *, taken: str | None = None) -> Level:
    """What a text such as "requirements:new.txt", "ref:main" or "image:orders:1.4" stands for.

    "." is the context as it lies there. Without a kind, what ends like requirements is a file of the context,
    and the rest a git ref where there is one of that name, else an image. `taken` names the other version.
    """
    if text == AS_IT_LIES:
        return "none"
    kind, colon, value = text.partition(":")
    if not colon or kind not in KINDS:
        kind, value = _kind(text, context), text
    named = {"requirements": None, "ref": None, "image": None, kind: value}
    return VersionTable(name=version_name(value, taken=taken), **named)


def _kind(text: str, context: Path) -> str:
    if Path(text).suffix in REQUIREMENTS:
        return "requirements"
    try:
        commit_of(context, text)
    except Unreadable:
        return "image"
    return "ref"
