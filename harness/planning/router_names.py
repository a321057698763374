"""Which variable of which file an expression means, as far as imports and assignments say."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

ROUTERS = ("APIRouter", "Router")
Target = tuple[str, str]
"""Path of a file, and the name of a variable in it."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one file."""

    path: str
    routers: Mapping[str, ast.Call]
    """Variables that hold a router made here, and the call that makes it."""
    assigned: frozenset[str]
    modules: Mapping[str, str]
    """Names that stand for a module, as a path without its end: "app/routers/items"."""
    members: Mapping[str, tuple[str, str]]
    """Names imported from a module: its path, and the name there (which may be a module as well)."""

    def resolve(self, node: ast.expr, files: Collection[str]) -> Target | None:
        """The variable that `router`, `items.router` or `routers.items.router` stands for."""
        parts = _parts(node)
        if not parts:
            return None
        first, *rest = parts
        if first in self.routers and not rest:
            return self.path, first
        if first in self.members:
            module, name = self.members[first]
            return _variable([*module.split("/"), name, *rest], files)
        for end in range(len(parts), 0, -1):
            if dotted := self.modules.get(".".join(parts[:end])):
                return _variable([*dotted.split("/"), *parts[end:]], files)
        return None


def names_of(tree: ast.Module, path: str) -> Names:
    """Of a parsed file; functions' own names count like the module's."""
    routers: dict[str, ast.Call] = {}
    assigned: set[str] = set()
    modules: dict[str, str] = {}
    members: dict[str, tuple[str, str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            held = [target.id for target in targets if isinstance(target, ast.Name)]
            assigned.update(held)
            if isinstance(node.value, ast.Call) and (_parts(node.value.func) or [""])[-1] in ROUTERS:
                routers.update(dict.fromkeys(held, node.value))
        elif isinstance(node, ast.Import):
            for alias in node.names:
                modules[alias.asname or alias.name] = alias.name.replace(".", "/")
        elif isinstance(node, ast.ImportFrom):
            module = _module(node, path)
            members.update({alias.asname or alias.name: (module, alias.name) for alias in node.names})
    return Names(path, routers, frozenset(assigned), modules, members)


def _module(node: ast.ImportFrom, path: str) -> str:
    """Path of the module that is imported from; relative imports begin with "./"."""
    named = (node.module or "").replace(".", "/")
    if not node.level:
        return named
    directory = PurePosixPath(path).parent
    for _ in range(node.level - 1):
        directory = directory.parent
    return f"./{directory}/{named}".rstrip("/")


def _variable(parts: list[str], files: Collection[str]) -> Target | None:
    """The last part is a variable; the others are a module, looked for below every directory."""
    *module, name = [part for part in parts if part]
    exact = module[:1] == ["."]
    wanted = "/".join(part for part in module if part != ".")
    for end in (".py", "/__init__.py"):
        file = f"{wanted}{end}".lstrip("/")
        if file in files:
            return file, name
        if not exact and (found := sorted(path for path in files if path.endswith(f"/{file}"))):
            return found[0], name
    return None


def _parts(node: ast.expr) -> list[str]:
    """["items", "router"] of items.router; empty where it is another kind of expression."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    return [node.id, *names] if isinstance(node, ast.Name) else []
