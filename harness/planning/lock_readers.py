"""What an app is installed from: requirement lines for pip, read from a project's files. Pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from json import JSONDecodeError, loads
from pathlib import PurePosixPath
from typing import Any

FORMATS = "requirements.txt, pyproject.toml, uv.lock, poetry.lock or Pipfile.lock"
_REFERENCE = re.compile(r"^\s*(-r|-c|-e|--requirement|--constraint|--editable)\b|^\s*\.{0,2}/|@\s*(file:|\.)")
_EXTRA = re.compile(r"""(\s+and\s+)?\bextra\s*==\s*(['"])[^'"]*\2(?(1)|(\s+and\s+)?)""")
_PYPI = "https://pypi.org/simple"


class UnreadableLock(ValueError):
    """A file that no requirements can be taken from, and what to do instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """Lines of a requirements file."""

    lines: tuple[str, ...]
    local: bool = False
    """Some of them are files of the project, so that it must be there before they are installed."""


def from_text(text: str) -> Requirements:
    """A requirements.txt, as it is."""
    lines = tuple(text.splitlines())
    return Requirements(lines=lines, local=any(_REFERENCE.search(line) for line in lines))


def from_pyproject(text: str) -> Requirements:
    """The dependencies of PEP 621, without the optional ones. Raises UnreadableLock."""
    project = _toml(text, "pyproject.toml").get("project", {})
    if "dependencies" not in project:
        dynamic = "dependencies" in project.get("dynamic", ())
        why = "computes them when it is built" if dynamic else "has no [project] dependencies"
        raise UnreadableLock(f"pyproject.toml {why}.\nFix: name a requirements.txt or a lock file instead.")
    return _checked(tuple(project["dependencies"]))


def from_poetry(text: str, pyproject: str | None) -> Requirements:
    """The main group of a poetry.lock, markers and hashes kept. Raises UnreadableLock.

    Lock files before Poetry 2 do not say which group a package belongs to: then pyproject.toml does.
    """
    lock = _toml(text, "poetry.lock")
    # Before Poetry 1.3 the hashes of all packages stand together at the end.
    hashes = lock.get("metadata", {}).get("files", {})
    packages = [{"files": hashes.get(found["name"], ()), **found} for found in lock.get("package", ())]
    if any("groups" in package for package in packages):
        chosen = {
            package["name"]: _marker_of_main(package)
            for package in packages
            if "main" in package["groups"] and not package.get("optional")
        }
    elif pyproject is None:
        raise UnreadableLock(
            "poetry.lock is from before Poetry 2 and does not say what is needed to run.\n"
            "Fix: put pyproject.toml next to it, or lock again with Poetry 2."
        )
    else:
        chosen = _reached(packages, _toml(pyproject, "pyproject.toml"))
    # Several packages of one name are one requirement for several machines; each has its marker.
    wanted = [package for package in packages if package["name"] in chosen]
    return _hashed([(_poetry_line(package), _poetry_hashes(package)) for package in wanted], chosen, wanted)


def from_pipfile(text: str) -> Requirements:
    """The section "default" of a Pipfile.lock, with indexes, markers and hashes. Raises UnreadableLock."""
    try:
        content = loads(text)
        default = content["default"]
    except (JSONDecodeError, KeyError) as error:
        raise UnreadableLock(f"Pipfile.lock cannot be read: {error}.\nFix: run `pipenv lock`.") from error
    indexes = [source["url"] for source in content.get("_meta", {}).get("sources", ())]
    extra = [f"--extra-index-url {url}" for url in indexes if url.rstrip("/") != _PYPI]
    lines = [(_pipfile_line(name, entry), entry.get("hashes", ())) for name, entry in default.items()]
    markers = [entry.get("markers") for entry in default.values()]
    found = _joined(lines, markers)
    return Requirements(lines=(*extra, *found.lines), local=found.local)


def read(path: str, text: str, pyproject: str | None) -> Requirements:
    """The requirements of any file but a uv.lock, which only uv itself can read. Raises UnreadableLock."""
    name = PurePosixPath(path).name
    if name == "poetry.lock":
        return from_poetry(text, pyproject)
    readers: Mapping[str, Callable[[str], Requirements]] = {
        "pyproject.toml": from_pyproject,
        "Pipfile.lock": from_pipfile,
    }
    if name.endswith(".txt") or name.endswith(".in"):
        return from_text(text)
    if name not in readers:
        raise UnreadableLock(
            f"{path} is none of the files that requirements are read from.\nFix: name {FORMATS}."
        )
    return readers[name](text)


def _toml(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UnreadableLock(f"{name} cannot be read: {error}.\nFix: correct it, or lock again.") from error


def _checked(lines: tuple[str, ...]) -> Requirements:
    return Requirements(lines=lines, local=any(_REFERENCE.search(line) for line in lines))


def _marker_of_main(package: Mapping[str, Any]) -> str | None:
    markers = package.get("markers")
    return markers.get("main") if isinstance(markers, dict) else markers


def _reached(packages: Sequence[Mapping[str, Any]], pyproject: Mapping[str, Any]) -> dict[str, str | None]:
    """Names of what the main dependencies lead to, each with the marker under which it is needed."""
    by_name = {_normal(package["name"]): package for package in packages}
    found: dict[str, list[str | None]] = {}

    def visit(name: str, extras: frozenset[str], marker: str | None, path: tuple[str, ...]) -> None:
        package = by_name.get(_normal(name))
        if package is None or name in path:
            return
        known = found.setdefault(package["name"], [])
        if extras <= seen.get(name, frozenset()) and (None in known or marker in known):
            return
        known.append(marker)
        seen[name] = seen.get(name, frozenset()) | extras
        for child, more, edge in _edges(package.get("dependencies", {}), _of_extras(package, extras)):
            visit(_normal(child), more, _both(marker, edge), (*path, name))

    seen: dict[str, frozenset[str]] = {}
    tool = pyproject.get("tool", {}).get("poetry", {}).get("dependencies", {})
    for name, extras, marker in _edges(tool, frozenset()):
        visit(_normal(name), extras, marker, ())
    for line in pyproject.get("project", {}).get("dependencies", ()):
        name, extras, marker = _parsed(line)
        visit(_normal(name), extras, marker, ())
    return {name: _any(markers) for name, markers in found.items()}


def _edges(
    table: Mapping[str, Any], wanted: frozenset[str]
) -> Iterator[tuple[str, frozenset[str], str | None]]:
    """Name, extras and marker of each dependency in a table of Poetry's; optional ones only if `wanted`."""
    for name, described in table.items():
        for entry in described if isinstance(described, list) else [described]:
            options = entry if isinstance(entry, dict) else {}
            if name != "python" and (not options.get("optional") or _normal(name) in wanted):
                yield name, frozenset(options.get("extras", ())), _chosen(options.get("markers"))


def _chosen(marker: str | None) -> str | None:
    """A marker without its condition on the extra, which holds: pip would take it for unmet."""
    return _EXTRA.sub("", marker).strip() or None if marker else None


def _of_extras(package: Mapping[str, Any], extras: frozenset[str]) -> frozenset[str]:
    lines = (line for extra in extras for line in package.get("extras", {}).get(extra, ()))
    return frozenset(_normal(_parsed(line)[0]) for line in lines)


def _parsed(line: str) -> tuple[str, frozenset[str], str | None]:
    """Name, extras and marker of a requirement."""
    requirement, _, marker = line.partition(";")
    match = re.match(r"\s*([A-Za-z0-9._-]+)\s*(?:\[([^\]]*)\])?", requirement)
    if match is None:
        raise UnreadableLock(f"{line!r} is no requirement.\nFix: correct it in pyproject.toml.")
    extras = frozenset(extra.strip() for extra in (match[2] or "").split(",") if extra.strip())
    return match[1], extras, marker.strip() or None


def _both(first: str | None, second: str | None) -> str | None:
    if first is None or second is None or first == second:
        return first or second
    return f"({first}) and ({second})"


def _any(markers: Sequence[str | None]) -> str | None:
    known = [marker for marker in dict.fromkeys(markers) if marker is not None]
    if len(known) < len(set(markers)):
        return None
    return known[0] if len(known) == 1 else " or ".join(f"({marker})" for marker in known)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _poetry_line(package: Mapping[str, Any]) -> str:
    source = package.get("source", {})
    match source.get("type"):
        case "git":
            return f"{package['name']} @ git+{source['url']}@{source['resolved_reference']}"
        case "url":
            return f"{package['name']} @ {source['url']}"
        case "directory" | "file":
            return f"./{source['url']}"
    return f"{package['name']}=={package['version']}"


def _poetry_hashes(package: Mapping[str, Any]) -> list[str]:
    return [file["hash"] for file in package.get("files", ())]


def _pipfile_line(name: str, entry: Mapping[str, Any]) -> str:
    extras = f"[{','.join(entry['extras'])}]" if entry.get("extras") else ""
    if "git" in entry:
        return f"{name}{extras} @ git+{entry['git']}@{entry.get('ref', 'HEAD')}"
    if "path" in entry:
        path = PurePosixPath(entry["path"])
        return f"{'-e ' if entry.get('editable') else ''}./{path}{extras}"
    if "file" in entry:
        return f"{name}{extras} @ {entry['file']}"
    version = entry.get("version", "*")
    return f"{name}{extras}{'' if version == '*' else version}"


def _hashed(
    lines: Sequence[tuple[str, Sequence[str]]],
    markers: Mapping[str, str | None],
    packages: Sequence[Mapping[str, Any]],
) -> Requirements:
    return _joined(lines, [_marker_of_main(package) or markers[package["name"]] for package in packages])


def _joined(lines: Sequence[tuple[str, Sequence[str]]], markers: Sequence[str | None]) -> Requirements:
    """With hashes if all have some: pip takes them for all or for none."""
    hashes = all(known for _, known in lines)
    full = []
    for (line, known), marker in zip(lines, markers, strict=True):
        parts = [line, *([f" ; {marker}"] if marker else [])]
        full.append("".join([*parts, *(f" --hash={each}" for each in known if hashes)]))
    return _checked(tuple(full))
