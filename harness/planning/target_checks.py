"""What is wrong with a [target], and what is assumed where it leaves something out. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from harness.model import OWN_COMMAND
from harness.planning.discovery import FRAMEWORKS, LOCKS_FIRST, USUAL_FILES, FoundApp, find_requirements
from harness.planning.schema import MatrixFile
from harness.planning.schema_factors import VersionTable
from harness.planning.schema_target import TargetTable
from harness.target import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What was found around a [target], by whoever may look."""

    context: str
    """Absolute path."""
    requirement_files: frozenset[str] = frozenset()
    has_dockerfile: bool = False
    apps: tuple[FoundApp, ...] = ()
    looked_at: int = 0
    """How many Python files were searched for the app."""
    secret_names: tuple[str, ...] = ()
    """Names in env_file."""
    commits: Mapping[str, str] = field(default_factory=dict)
    """Of the git refs of `versions_of`, by ref."""
    hashes: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of their requirements files, by path."""
    uncommitted: bool = False
    """Whether the files of the context differ from those of the commit that is checked out."""
    problems: tuple[str, ...] = field(default=())
    """Paths that are not there, or lead elsewhere."""


def recipes_of(file: MatrixFile) -> tuple[str, ...]:
    """The recipes of a matrix file; of a pure black box, its own command."""
    named = [*(file.factors.recipe or ()), *(point.recipe for point in file.include if point.recipe)]
    if file.factors.recipe is None and file.target and has_own_command(file.target) and not file.target.app:
        named.insert(0, OWN_COMMAND)
    return tuple(dict.fromkeys(named))


def versions_of(file: MatrixFile) -> tuple[tuple[str, VersionTable], ...]:
    """The versions of a matrix file, each with the key that it stands at."""
    in_factors = ((f"factors.version.{index}", level) for index, level in enumerate(file.factors.version))
    included = ((f"include.{index}.version", point.version) for index, point in enumerate(file.include))
    named = (*in_factors, *included)
    return tuple((key, level) for key, level in named if isinstance(level, VersionTable))


def version_of(level: object, around: Surroundings | None) -> Version | None:
    """A level of `version` with what it stands for now; None of "none", the target as it is."""
    if not isinstance(level, VersionTable):
        return None
    return Version(
        **level.model_dump(exclude={"packages"}),
        packages=tuple(level.packages or ()),
        commit=around.commits.get(level.ref) if around and level.ref else None,
        sha256=around.hashes.get(level.requirements) if around and level.requirements else None,
    )


def _versions_bring_all(file: MatrixFile) -> bool:
    """Whether every variant is a version that says what it is installed from, or has an image."""
    levels = [level for _, level in versions_of(file)]
    return "none" not in file.factors.version and all(level.requirements or level.image for level in levels)


def has_own_command(table: TargetTable) -> bool:
    return bool(table.image or table.dockerfile or table.command)


def needs_app(file: MatrixFile) -> bool:
    """Whether a recipe of ours is to start the app."""
    return file.target is not None and any(recipe != OWN_COMMAND for recipe in recipes_of(file))


def must_be_found(file: MatrixFile) -> bool:
    """Whether the app has to be looked for: it is needed and not named, and its files are here."""
    return needs_app(file) and file.target is not None and not (file.target.app or file.target.image)


def target_problems(file: MatrixFile, around: Surroundings | None) -> Iterator[str]:
    """All mistakes of [target] and of the recipes that it cannot have."""
    table = file.target
    if not recipes_of(file):
        hint = 'recipe = ["uvicorn-standard", "gunicorn-uvicorn"]'
        yield f"factors.recipe: Field required. Fix: add {hint} below [factors]"
    if table is None:
        if OWN_COMMAND in recipes_of(file):
            yield f'factors.recipe: "{OWN_COMMAND}" needs a [target]. Fix: add one with image or dockerfile'
        for key, _ in versions_of(file):
            yield f"{key}: is a version of a [target], and there is none. Fix: add one"
        return
    yield from _version_problems(file, table)
    yield from _contradictions(table)
    if OWN_COMMAND in recipes_of(file) and not has_own_command(table):
        yield (
            f'factors.recipe: "{OWN_COMMAND}" needs an image with a command. '
            "Fix: add target.image, target.dockerfile or target.command"
        )
    yield from _service_problems(table)
    if around is not None:
        yield from around.problems
        yield from _app_problems(file, table, around)
        lacking = needs_requirements(table) and not _versions_bring_all(file)
        if lacking and not around.problems and not around.requirement_files:
            yield (
                f"target.requirements: none of {', '.join(LOCKS_FIRST)} is in {around.context}. "
                "Fix: add one, or name a dockerfile or an image"
            )
        if clash := sorted(set(table.env) & set(around.secret_names)):
            yield f"target.env: {', '.join(clash)} stands in {table.env_file} too. Fix: keep one of them"


def _version_problems(file: MatrixFile, table: TargetTable) -> Iterator[str]:
    made_from = "image" if table.image else "dockerfile" if table.dockerfile else None
    for key, version in versions_of(file):
        if version.requirements and made_from:
            yield f"{key}.requirements: has no effect with target.{made_from}. Fix: take a ref or an image"
        if version.packages and made_from:
            yield f"{key}.packages: has no effect with target.{made_from}. Fix: take a ref or an image"
        if version.ref and table.image:
            yield f"{key}.ref: has no effect with target.image. Fix: take an image"
        if version.image and table.dockerfile:
            yield f"{key}.image: conflicts with target.dockerfile. Fix: take a ref"


def needs_requirements(table: TargetTable) -> bool:
    """Whether an image is made here, from a file that has to be found."""
    return table.image is None and table.dockerfile is None and table.requirements is None


def requirements_of(table: TargetTable, around: Surroundings) -> str | None:
    found = find_requirements(around.requirement_files) if needs_requirements(table) else None
    return table.requirements or found


def app_of(file: MatrixFile, table: TargetTable, around: Surroundings) -> tuple[str | None, str]:
    """Import string and directory: as given, or the one that was found."""
    if table.app is None and must_be_found(file) and len(around.apps) == 1:
        (found,) = around.apps
        return found.app, table.app_dir or found.app_dir
    return table.app, table.app_dir or ""


def assumptions(file: MatrixFile, around: Surroundings | None) -> Iterator[str]:
    """What was taken where [target] leaves it out, in sentences."""
    table = file.target
    if table is None or around is None:
        return
    if around.commits and around.uncommitted:
        refs = ", ".join(around.commits)
        yield f"{around.context} has changes that are not committed: the versions of {refs} are without them"
    if must_be_found(file) and len(around.apps) == 1:
        yield f"target.app is left out: {around.apps[0].app} was found ({around.apps[0].why})"
    needed = needs_requirements(table) and not _versions_bring_all(file)
    if needed and (taken := requirements_of(table, around)):
        others = sorted(around.requirement_files - {taken})
        beside = f", not {', '.join(others)}" if others else ""
        yield f"target.requirements is left out: {taken} was taken{beside}"
    if table.image is None and table.dockerfile is None and around.has_dockerfile:
        yield (
            "a Dockerfile is there and was not used: the image is made from the requirements; "
            'dockerfile = "Dockerfile" below [target] takes it'
        )


def _contradictions(table: TargetTable) -> Iterator[str]:
    if table.image and table.dockerfile:
        yield "target.dockerfile: conflicts with image. Fix: keep one of them"
    for key in ("requirements", "base_image"):
        ready_made = "image" if table.image else "dockerfile" if table.dockerfile else None
        if getattr(table, key) and ready_made:
            yield f"target.{key}: has no effect with {ready_made}. Fix: keep one of them"
    if table.python and not (table.image or table.dockerfile):
        yield "target.python: names a Python inside image or dockerfile. Fix: add one, or drop it"


def _service_problems(table: TargetTable) -> Iterator[str]:
    names = [service.name for service in table.services]
    for index, service in enumerate(table.services):
        if service.name in names[:index]:
            yield f"target.services.{index}.name = {service.name!r}: stands twice. Fix: choose another"
        if service.name == "localhost":
            yield f'target.services.{index}.name = "localhost": is the app itself. Fix: choose another'


def _app_problems(file: MatrixFile, table: TargetTable, around: Surroundings) -> Iterator[str]:
    if not needs_app(file) or table.app is not None:
        return
    wrapped = ", ".join(recipe for recipe in recipes_of(file) if recipe != OWN_COMMAND)
    if table.image is not None:
        yield (
            f"factors.recipe: {wrapped} needs the import string of the app in {table.image}. "
            f'Fix: add app = "package.module:app" below [target], or keep only "{OWN_COMMAND}"'
        )
    elif not around.apps and not around.problems:
        yield (
            f"target.app: {wrapped} needs it, and none was found: looked at {around.looked_at} Python files "
            f"in {around.context} ({', '.join(USUAL_FILES)}, the same below src/, then all others) "
            f"for {', '.join(FRAMEWORKS)}. "
            f'Fix: add app = "package.module:app" below [target]'
        )
    elif len(around.apps) > 1:
        lines = "".join(f"\n      {', '.join(app.lines)}  # {app.why}" for app in around.apps[:20])
        yield f"target.app: {len(around.apps)} apps were found. Fix: paste one below [target]:{lines}"


def machine_problems(file: MatrixFile, *, host_cpus: int, host_memory_mib: int | None) -> Iterator[str]:
    """Limits that this machine cannot give."""
    points = [("factors", file.factors.cpu_quota, file.factors.memory_mib)]
    points += [
        (f"include.{index}", [point.cpu_quota or "none"], [point.memory_mib or "none"])
        for index, point in enumerate(file.include)
    ]
    for key, quotas, memories in points:
        for quota in quotas:
            if isinstance(quota, float) and quota > host_cpus:
                cpus = "1 CPU" if host_cpus == 1 else f"{host_cpus} CPUs"
                yield f"{key}.cpu_quota = {quota:g}: this machine has {cpus}. Fix: lower it"
        for memory in memories:
            if isinstance(memory, int) and host_memory_mib is not None and memory > host_memory_mib:
                yield (
                    f"{key}.memory_mib = {memory}: this machine has {host_memory_mib} MiB of memory. "
                    "Fix: lower it"
                )
