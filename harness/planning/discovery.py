"""Finds the app and its requirements in a team's files, by parsing them: nothing is imported."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

FRAMEWORKS = {
    "FastAPI": "fastapi",
    "Starlette": "starlette",
    "Litestar": "litestar",
    "Quart": "quart",
    "BlackSheep": "blacksheep",
    "Sanic": "sanic",
}
"""Classes of ASGI apps: the class's name, and the package that it must come from."""
USUAL_FILES = ("main.py", "app.py", "api.py", "app/main.py", "app/app.py", "app/api.py")
"""Where `fastapi run` looks, in its order."""
USUAL_NAMES = ("app", "api")
LOCKS_FIRST = ("uv.lock", "poetry.lock", "Pipfile.lock", "requirements.txt", "pyproject.toml")
"""What pins every version comes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundApp:
    """An ASGI app that was found, ready to be written into harness.toml."""

    app: str
    """Import string: "orders.main:app", or "orders.main:create_app()"."""
    app_dir: str
    """Directory inside the context that it is imported from; empty: the context itself."""
    path: str
    """The file that it stands in."""
    why: str
    """In words, for example "main.py: app = FastAPI(...)"."""

    @property
    def lines(self) -> tuple[str, ...]:
        """As they go into [target]."""
        return (f'app = "{self.app}"', *((f'app_dir = "{self.app_dir}"',) if self.app_dir else ()))


def find_apps(files: Mapping[str, str]) -> tuple[FoundApp, ...]:
    """The apps in `files` (text by path inside the context): one where it is clear, several where not.

    Looked at in turn, and the first that has any decides: [tool.fastapi] of pyproject.toml, the usual files,
    then every file.
    """
    if found := _declared(files):
        return (found,)
    for path in USUAL_FILES:
        for root in ("", "src/"):
            if f"{root}{path}" in files and (apps := _preferred(_in_file(f"{root}{path}", files))):
                return apps
    return tuple(app for path in sorted(files) for app in _preferred(_in_file(path, files)))


def find_requirements(paths: Collection[str]) -> str | None:
    """The file that says what to install: a lock file where there is one."""
    return next((name for name in LOCKS_FIRST if name in paths), None)


def _declared(files: Mapping[str, str]) -> FoundApp | None:
    """The entry point that pyproject.toml names for `fastapi run`."""
    try:
        table = tomllib.loads(files.get("pyproject.toml", ""))
        entry = table.get("tool", {}).get("fastapi", {}).get("entrypoint")
    except (ValueError, RecursionError, AttributeError):
        return None
    if not isinstance(entry, str) or ":" not in entry:
        return None
    module = entry.partition(":")[0].replace(".", "/")
    in_src = any(f"src/{module}{end}" in files for end in (".py", "/__init__.py"))
    here = any(f"{module}{end}" in files for end in (".py", "/__init__.py"))
    return FoundApp(
        app=entry,
        app_dir="src" if in_src and not here else "",
        path="pyproject.toml",
        why=f'pyproject.toml: [tool.fastapi] entrypoint = "{entry}"',
    )


def _preferred(apps: tuple[FoundApp, ...]) -> tuple[FoundApp, ...]:
    """Of one file's: the one called `app` or `api`, then any other instance, then factories."""
    by_name = {found.app.rpartition(":")[2]: found for found in apps}
    for name in USUAL_NAMES:
        if name in by_name:
            return (by_name[name],)
    return tuple(a for a in apps if not a.app.endswith("()")) or apps


def _in_file(path: str, files: Mapping[str, str]) -> tuple[FoundApp, ...]:
    text = files[path]
    if not path.endswith(".py") or not any(package in text for package in FRAMEWORKS.values()):
        return ()
    try:
        tree = ast.parse(text)
        named = _imported_classes(tree)
        made = (*_instances(tree, named), *_factories(tree, named))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    module, app_dir = _module_of(path, tree, files)
    return tuple(
        FoundApp(app=f"{module}:{attribute}", app_dir=app_dir, path=path, why=f"{path}: {why}")
        for attribute, why in made
    )


def _module_of(path: str, tree: ast.Module, files: Mapping[str, str]) -> tuple[str, str]:
    """Module name, and the directory that it is imported from.

    That is the one above the topmost package. A directory without __init__.py counts as a package where the
    file itself imports from it by its name; otherwise the file is a module on its own, as for `fastapi run`.
    """
    directories = PurePosixPath(path).parts[:-1]
    stem = PurePosixPath(path).stem
    roots, relative = _imports(tree)
    start = len(directories)
    while start and f"{'/'.join(directories[:start])}/__init__.py" in files:
        start -= 1
    named = [index for index, name in enumerate(directories) if name in roots and name != "src"]
    if start == len(directories) and (named or relative):
        start = named[0] if named else max(0, start - 1)
    names = [*directories[start:], *(() if stem == "__init__" and start < len(directories) else (stem,))]
    return ".".join(names), "/".join(directories[:start])


def _imports(tree: ast.Module) -> tuple[frozenset[str], bool]:
    """First names of what the file imports, and whether it imports from its own package by dots."""
    roots: set[str] = set()
    relative = False
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            roots |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            relative = relative or node.level > 0
            if node.module and not node.level:
                roots.add(node.module.partition(".")[0])
    return frozenset(roots), relative


def _imported_classes(tree: ast.Module) -> dict[str, str]:
    """Names, as the file calls them, of classes that make an ASGI app: also "fastapi.FastAPI"."""
    named: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                if FRAMEWORKS.get(alias.name) == node.module.partition(".")[0]:
                    named[alias.asname or alias.name] = alias.name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                for name, package in FRAMEWORKS.items():
                    if alias.name.partition(".")[0] == package:
                        named[f"{alias.asname or alias.name}.{name}"] = name
    # A team's own class of app is one too.
    for statement in tree.body:
        if isinstance(statement, ast.ClassDef) and any(_dotted(base) in named for base in statement.bases):
            named[statement.name] = statement.name
    return named


def _instances(tree: ast.Module, named: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    factories = {name.removesuffix("()") for name, _ in _factories(tree, named)}
    for statement in _module_level(tree.body):
        if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None:
            continue
        value = statement.value
        hint = statement.annotation if isinstance(statement, ast.AnnAssign) else None
        targets = [statement.target] if isinstance(statement, ast.AnnAssign) else statement.targets
        made_by = _dotted(value.func) if isinstance(value, ast.Call) else ""
        is_app = made_by in named or made_by in factories or (hint is not None and _annotated(hint, named))
        for target in targets:
            if is_app and isinstance(target, ast.Name):
                yield target.id, f"{target.id} = {made_by or ast.unparse(value)[:60]}(...)"


def _module_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """What runs on import; a main guard does not."""
    for statement in body:
        if isinstance(statement, ast.If) and "__main__" not in ast.unparse(statement.test):
            yield from _module_level([*statement.body, *statement.orelse])
        elif isinstance(statement, ast.Try):
            yield from _module_level([*statement.body, *statement.orelse, *statement.finalbody])
        elif isinstance(statement, ast.With):
            yield from _module_level(statement.body)
        else:
            yield statement


def _factories(tree: ast.Module, named: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Functions without a required parameter that return an app."""
    for statement in tree.body:
        if not isinstance(statement, ast.FunctionDef) or not _takes_nothing(statement.args):
            continue
        # A decorated one may return anything, such as a fixture.
        if statement.decorator_list:
            continue
        if statement.returns is not None and _annotated(statement.returns, named):
            hint = ast.unparse(statement.returns)
            yield f"{statement.name}()", f"def {statement.name}() -> {hint}"
        elif _returns_app(statement, named):
            yield f"{statement.name}()", f"def {statement.name}() returns an app"


def _takes_nothing(arguments: ast.arguments) -> bool:
    positional = len(arguments.posonlyargs) + len(arguments.args)
    return positional == len(arguments.defaults) and None not in arguments.kw_defaults


def _returns_app(function: ast.FunctionDef, named: Mapping[str, str]) -> bool:
    made: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            if _dotted(node.value.func) in named:
                made |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and _annotated(node.annotation, named):
            made |= {node.target.id} if isinstance(node.target, ast.Name) else set()
    return any(
        (isinstance(node.value, ast.Name) and node.value.id in made)
        or (isinstance(node.value, ast.Call) and _dotted(node.value.func) in named)
        for node in ast.walk(function)
        if isinstance(node, ast.Return) and node.value is not None
    )


def _annotated(hint: ast.expr, named: Mapping[str, str]) -> bool:
    if isinstance(hint, ast.Constant):
        return hint.value in named
    return _dotted(hint) in named


def _dotted(node: ast.expr) -> str:
    """ "fastapi.FastAPI" of such an expression; empty where it is another."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([node.id, *reversed(names)])
