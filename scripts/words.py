"""Finds phrases that have a plainer form, and names that stand for two things: `python scripts/words.py`.

Exits 1 with each place and what to write instead.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[1]
READ = ("harness", "studies", "scenarios", "wire", "probe", "oracles", "docs", "README.md", "benchmarks")
SUFFIXES = (".py", ".md", ".j2", ".html", ".toml")
DATED = ("docs/decisions",)
"""Notes of their day are left as they are."""
INSTEAD = {
    "cannot be told from the best": "not distinguishable from the best",
    "cannot be told here": "smallest detectable effect: ...",
    "is not ruled out": "may ... up to ...",
    "for want of memory": "OOM-killed",
    "mend ": "fix",
    "cut short, go on with": "If interrupted, resume with",
    "the budget was too small": "skipped: over budget",
    "Hold the field's advice": "Check published advice against measurements",
    "not so: ": "no: ",
    "got no right answer": "wrong or missing response",
    "go on with": "resume with",
    "gone on with": "resumed",
    "cannot go on": "cannot continue, cannot be resumed",
    "not told": "unknown, not reported",
    "told apart": "distinguished",
    "has no effect beside": "has no effect with",
    "stands beside": "conflicts with, stands next to",
}
VAGUE = {
    "beside",
    "bench",
    "doubts",
    "durable",
    "experiments",
    "ladder",
    "live",
    "rebuild",
    "rig",
    "together",
}
"""Names that say nothing to someone who has never seen the project."""
PRODUCT = ("harness", "studies", "wire")
PUBLIC_TWICE = {"Comparison"}
"""Of the Python interface (harness/api.py), whose names are short."""
MOST_FILES = 2
"""Files of one name: a room and the room that renders what it decides."""


def found() -> Iterator[str]:
    for part in READ:
        root = PROJECT / part
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            name = path.relative_to(PROJECT).as_posix()
            if path.suffix not in SUFFIXES or name.startswith(DATED):
                continue
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
                for phrase, instead in INSTEAD.items():
                    if phrase.lower() in line.lower():
                        yield f"{name}:{number}: {phrase.strip()!r}. Write: {instead}"


def vague_names() -> Iterator[str]:
    """Modules whose name says nothing or stands too often, and public types of one name."""
    modules, types = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    for path in sorted(path for part in PRODUCT for path in (PROJECT / part).rglob("*.py")):
        name = path.relative_to(PROJECT).as_posix()
        modules[path.stem].append(name)
        for kind in re.findall(r"^class ([A-Z]\w*)", path.read_text(encoding="utf-8"), re.M):
            types[kind].append(name)
    for stem, places in modules.items():
        if stem in VAGUE or (stem != "__init__" and len(places) > MOST_FILES):
            yield f"{', '.join(places)}: name {'them' if len(places) > 1 else 'it'} for what is inside"
    for kind, places in types.items():
        if len(places) > 1 and kind not in PUBLIC_TWICE:
            yield f"class {kind} in {', '.join(places)}: one word for one thing"


def main() -> int:
    places = [*found(), *vague_names()]
    print(*places, sep="\n", end="\n" if places else "")
    return int(bool(places))


if __name__ == "__main__":
    sys.exit(main())
