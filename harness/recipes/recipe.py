"""What a recipe says of a server, and what the files of all servers share. Pure: nothing runs here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.model import Variant
from harness.target import Target

WRAPPER = "harness_probe.asgi:app"
"""The import string of the app with the wrapper around it."""
CALLED = "()"
"""The end of an import string that names a factory."""
PROXY_HEADERS = "proxy-headers"

Argv = tuple[str, ...]
Command = Callable[[Variant, Target], Argv]
Behind = Callable[[Variant, Target], tuple[Argv, ...]]
Problem = Callable[[Variant, Target], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedStack:
    """What the probe must report, as prefixes: class paths from inside, proxy and TLS (None: without); and
    exactly these features."""

    loop: str
    http: str
    features: frozenset[str] = frozenset()
    front: str | None = None
    tls: str | None = None

    @property
    def scheme(self) -> str:
        """Of URLs, also as the app sees it."""
        return "http" if self.tls is None else "https"


UNKNOWN = ExpectedStack(loop="", http="")


def no_problem(_: Variant, __: Target) -> str | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One way to install and start the app."""

    description: str
    simplicity: int
    """Rank, 0 the simplest: fewer moving parts, fewer compiled dependencies. Breaks ties in the verdict."""
    stack: ExpectedStack
    command: Command
    behind: Behind | None = None
    """The commands of the servers behind it, where `command` is a proxy's."""
    image: str | None = None
    """The stage of Dockerfile.variants and file in requirements/ that it shares; None for its own."""
    lock: str | None = None
    """Stem of the file in requirements/ that it shares, where the stage is its own."""
    from_source: tuple[str, ...] = ()
    """Packages of it that are published as source only, and compiled in a stage of their own."""
    parts: tuple[str, ...] = ()
    """Further stages whose images its processes run in."""
    programs: tuple[str, ...] = ()
    """What it runs that is not Python's: in its image, and without images to be found on the machine."""
    env: tuple[tuple[str, str], ...] = ()
    """Settings of the app that make it this recipe."""
    fixed: frozenset[str] = frozenset()
    """Levels that it has no option for: it runs with the server's own at the default level, and no other."""
    most_keep_alive_s: int | None = None
    problem: Problem = no_problem
    """Why it cannot be started with these levels of a variant, or for this app; None when it can."""
    caution: str | None = None
    """What a team must know before it deploys this, said wherever the recipe is listed or ranked."""


def import_string(variant: Variant, target: Target) -> str:
    """What the server imports. Raises ValueError for a target that has no app."""
    if target.app is None:
        raise ValueError(f"{target.name} has no app")
    return WRAPPER if variant.wrapped else target.app


def host(variant: Variant) -> str:
    """Only a load that comes through another network namespace needs more than loopback."""
    return "0.0.0.0" if variant.network in ("bridge", "published", "remote") else "127.0.0.1"


def stated(*options: tuple[str, int | None]) -> Argv:
    """What is left out stays the server's own."""
    return tuple(word for flag, value in options if value is not None for word in (flag, str(value)))


def named(variant: Variant, target: Target, *, directory: str) -> Argv:
    """The app, and the options of a server that has them for factories and for where the app is."""
    app = import_string(variant, target)
    options = ("--factory",) if app.endswith(CALLED) else ()
    where = () if variant.wrapped or not target.app_dir else (directory, target.app_dir)
    return (app.removesuffix(CALLED), *options, *where)
