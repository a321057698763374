"""Finds phrases in code and documentation that have a plainer form: `python scripts/words.py`.

Exits 1 with each place and what to write instead.
"""

from __future__ import annotations

import sys
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
}


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


def main() -> int:
    places = list(found())
    print(*places, sep="\n", end="\n" if places else "")
    return int(bool(places))


if __name__ == "__main__":
    sys.exit(main())
