"""The check in plain lines and as a Markdown page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from harness.model import Validity
from harness.reporting.markdown_table import markdown_table
from studies.selfcheck.result import Injected, Line, SelfCheck

WORDS = tuple(Validity)
NAMED = 3
"""Trials that are named for each reason; the rest is counted."""


def text(line: Line) -> str:
    """One line for a terminal."""
    word = "met " if line.met else "MISS"
    if not line.quantity:
        return f"{word}  {line.oracle}: {line.measured}"
    truth = f"(theory: {line.theory}; gate: {line.gate})"
    return f"{word}  {line.oracle}: {line.quantity}: {line.measured} {truth}"


def summary(check: SelfCheck) -> str:
    met = sum(line.met for line in check.lines)
    again = f", {len(check.made_again)} trials made again" if check.made_again else ""
    return f"{met} of {len(check.lines)} gates met in {check.facts['took']}{again}"


def confusion(rows: Sequence[Injected]) -> str:
    """What was injected, against what the harness said: counts of trials. Aligned Markdown."""
    rules = sorted({rule for row in rows for rule in row.rules})
    limits = sorted({limit for row in rows for limit in row.limits})
    names = [*map(str, WORDS), *(f"names {rule}" for rule in rules), *(f"says {limit}" for limit in limits)]
    table = [["injected", "trials", *names, "p95, ms"]]
    for row in rows:
        counts = [row.words.get(word, 0) for word in WORDS]
        counts += [row.rules.get(rule, 0) for rule in rules]
        counts += [row.limits.get(limit, 0) for limit in limits]
        figures = [*(str(count) if count else "" for count in counts), row.p95_ms]
        table.append([row.fault, str(row.trials), *figures])
    return markdown_table(table, aligned=True)


def markdown(check: SelfCheck) -> str:
    """A page that states what was measured, against which truth, where and with what."""
    return "\n".join(_page(check)) + "\n"


def _page(check: SelfCheck) -> Iterator[str]:
    yield "# The harness measured against known truths\n"
    yield f"Written by `{check.facts['command']} --markdown FILE`: {summary(check)}."
    yield "What each oracle is, and why these gates: `docs/decisions/2026-11-21-selfcheck.md`.\n"
    header = ["oracle", "what", "theory", "measured", "gate", "met"]
    cells = [[li.oracle, li.quantity, li.theory, li.measured, li.gate, _met(li)] for li in check.lines]
    yield markdown_table([header, *cells], aligned=True)
    yield "\n## Faults injected, and what the harness said of the trials\n"
    yield confusion(check.injected)
    if check.made_again:
        yield "\n## Trials that the machine spoilt, made again\n"
        yield from _by_reason(check.made_again)
    if check.not_yet:
        yield "\n## Not there yet\n"
        yield from (f"- {item}" for item in check.not_yet)
    yield "\n## Machine and versions\n"
    yield markdown_table([["", ""], *([name, value] for name, value in check.facts.items())], aligned=True)


def _by_reason(made_again: Iterable[str]) -> Iterator[str]:
    """The reasons, the most frequent first, each with the trials that it spoilt."""
    trials: dict[str, list[str]] = defaultdict(list)
    for told in made_again:
        trial, _, reason = told.partition(" was ")
        trials[reason].append(trial)
    for reason, names in sorted(trials.items(), key=lambda item: -len(item[1])):
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        yield f"- {len(names)} x {reason} ({', '.join(names[:NAMED])}{more})"


def _met(line: Line) -> str:
    return "yes" if line.met else "**no**"
