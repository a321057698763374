"""The matrix of a comparison: one variant of a matrix file, in several versions of the app. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from harness.model import Variant
from harness.planning.schema import MatrixFile
from harness.planning.schema_factors import EnvSet, Factors, VersionTable

Level = VersionTable | Literal["none"]
"""Of the factor `version`; "none" is the target as it is."""

LONGEST = 31
"""Of the name of a version."""


def version_name(text: str, *, taken: str | None = None) -> str:
    """What a version is called in ids, made of what it was called on the command line."""
    slug = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")[-LONGEST:].lstrip("-_") or "version"
    slug = "none-" if slug == "none" else slug
    return f"{slug[: LONGEST - 2]}-2" if slug == taken else slug


def in_versions(
    file: MatrixFile, variant: Variant, levels: Sequence[Level], *, blocks: int = 0
) -> MatrixFile:
    """The file with nothing but a variant of it in these versions; the first one is the baseline.

    All are wrapped alike, so what the wrapper costs is not measured. Without `blocks` the file's hold.
    """
    factors = Factors(
        recipe=[variant.recipe],
        workers=[variant.workers],
        access_log=[variant.access_log],
        keep_alive_s=[variant.keep_alive_s],
        cpu_quota=[variant.cpu_quota or "none"],
        memory_mib=[variant.memory_mib or "none"],
        network=[variant.network],
        threads=[variant.threads or "none"],
        preload=[variant.preload],
        max_requests=[variant.max_requests or "none"],
        backlog=[variant.backlog or "none"],
        limit_concurrency=[variant.limit_concurrency or "none"],
        env=[EnvSet(name=variant.env_name, set=dict(variant.env)) if variant.env_name else "none"],
        version=list(levels),
    )
    asked = {"baseline": None, "wrapper_cost": False, **({"blocks": blocks} if blocks else {})}
    design = file.design.model_copy(update=asked)
    return file.model_copy(update={"factors": factors, "include": [], "exclude": [], "design": design})
