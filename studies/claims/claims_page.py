"""The table of verdicts, for a terminal and as a Markdown page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.reporting.markdown_table import markdown_table
from studies.claims.claim import Answer, AnswerPart, Claim, Finding, Word
from studies.claims.workers import RuleCell, lost

Judged = tuple[Claim, Finding]
Machine = tuple[str, Mapping[str, str]]
"""A preset, and where, when and with what it was measured."""
MOST_SHOWN = 12
"""Parts of one claim on the page; the rest is counted."""
_TELLING_FIRST = (Word.FAILS, Word.DEPENDS, Word.HOLDS, Word.UNDECIDED)


def text(judged: Sequence[Judged], rules: Sequence[RuleCell], machines: Sequence[Machine]) -> str:
    """One paragraph a claim that was measured, the worker rules, the machine of each preset, the counts."""
    claims = [_line(claim, finding) for claim, finding in judged if finding.measured]
    others = sum(not finding.measured for _, finding in judged)
    workers = ["", "How many workers?", worker_rules(rules)] if rules else []
    made = (f"{name}: {', '.join(facts.values())}" for name, facts in machines)
    missing = [f"{others} others were not measured; harness study catalogue measures them."] if others else []
    return "\n".join([*claims, *workers, "", *made, "", *missing, tally(judged)])


def tally(judged: Sequence[Judged]) -> str:
    words = [finding.word for _, finding in judged]
    return f"{len(words)} claims: " + ", ".join(f"{words.count(word)} {word}" for word in Word)


def best(judged: Sequence[Judged], count: int) -> str:
    """The most telling lines as a Markdown table: what refutes the advice first, large effects first.

    Of each claim the strongest figure for and against it; the page has them all.
    """
    ranked = sorted(judged, key=lambda one: (_TELLING_FIRST.index(one[1].word), -one[1].effect))
    return markdown_table([["claim", "verdict"], *([_text_of(c), _in_short(f)] for c, f in ranked[:count])])


def markdown(
    judged: Sequence[Judged],
    rules: Sequence[RuleCell],
    machines: Sequence[Machine],
    versions: Mapping[str, str],
    made_again: Sequence[str],
    *,
    command: str,
) -> str:
    """The whole page: verdicts, the worker rules, the figures of every claim, machine and versions.

    `made_again` are sentences on repeats that failed and were made again.
    """
    sections = (
        _head(judged, command),
        ["## How many workers?\n", worker_rules(rules)],
        _figures(judged),
        _made_with(machines, versions, made_again),
    )
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def rule_table(rules: Sequence[RuleCell]) -> list[list[str]]:
    """What each worker rule loses: one row a rule and budget, one column a workload, and its worst."""
    scenarios = list(dict.fromkeys(cell.scenario for cell in rules))
    rows: dict[tuple[str, str], dict[str, RuleCell]] = defaultdict(dict)
    for cell in rules:
        rows[cell.rule, cell.budget][cell.scenario] = cell
    table = [["rule", "budget", "workers", *scenarios, "memory, MiB"]]
    for (rule, budget), cells in sorted(rows.items()):
        some = next(iter(cells.values()))
        memory = max((cell.memory_bytes or 0.0 for cell in cells.values()), default=0.0)
        losses = [_loss(cells[name]) if name in cells else "" for name in scenarios]
        table.append([rule, budget, str(some.workers), *losses, f"{memory / 2**20:.0f}" if memory else ""])
    return table


def never_to_be_chosen(rules: Iterable[RuleCell]) -> Iterator[str]:
    """Rules that were worse than the best everywhere they were measured, and each rule's worst place."""
    by_rule: dict[str, list[RuleCell]] = defaultdict(list)
    for cell in rules:
        by_rule[cell.rule].append(cell)
    for rule, cells in sorted(by_rule.items()):
        known = [cell for cell in cells if cell.regret is not None]
        if not known:
            continue
        worst = max(known, key=lambda cell: cell.regret.center if cell.regret else 0.0)
        good = sum(cell.answer is Answer.YES for cell in cells)
        verdict = "never choose it" if all(cell.answer is Answer.NO for cell in cells) else "can be right"
        yield (
            f"{rule}: {verdict}; among the best in {good} of {len(cells)} places; "
            f"at worst it loses {lost(worst)} ({worst.workers} workers on {worst.place})"
        )


def _loss(cell: RuleCell) -> str:
    mark = {Answer.YES: "", Answer.NO: " worse", Answer.OPEN: " ?"}[cell.answer]
    return f"{lost(cell)}{mark}"


def _line(claim: Claim, finding: Finding) -> str:
    return f"{claim.id:<4}{finding.word.upper():<10} {claim.text} ({claim.said_by})\n      {finding.why}"


def _head(judged: Sequence[Judged], command: str) -> Iterator[str]:
    yield "# The advice, put to the test\n"
    yield f"Written by `{command}` from stored runs; every verdict is computed. {tally(judged)}.\n"
    yield (
        "A claim **holds** or **fails** when everything it comes to was answered alike, **depends** when "
        "some of it is so and some is not, and is **undecided** when what is open could change the verdict: "
        "then the smallest detectable effect is stated. Intervals are of 95 %.\n"
    )
    rows = [[c.id, c.text, c.said_by, f"**{f.word}**", f.why] for c, f in judged]
    yield markdown_table([["", "claim", "said by", "verdict", "because"], *rows])


def worker_rules(rules: Sequence[RuleCell]) -> str:
    """The answer to "how many workers?": what each rule loses where, and which should never be chosen."""
    if not rules:
        return "Not measured."
    return "\n".join(
        [
            "What following each rule loses against the best worker count that was found (0 % is the best; "
            "*worse*: worse than the best; *?*: undecided).",
            "",
            markdown_table(rule_table(rules)),
            "",
            *(f"- {line}" for line in never_to_be_chosen(rules)),
        ]
    )


def _figures(judged: Sequence[Judged]) -> Iterator[str]:
    yield "## Figures\n"
    for claim, finding in judged:
        yield f"### {claim.id}: {finding.word}\n"
        yield f"{claim.text} (from {', '.join(claim.sources)})\n"
        telling = sorted(finding.parts, key=lambda part: -part.effect)
        yield from (f"- {_part(part)}" for part in telling[:MOST_SHOWN])
        if len(telling) > MOST_SHOWN:
            yield f"- and {len(telling) - MOST_SHOWN} more with smaller effects"
        yield from (f"- {detail}" for detail in finding.details)
        yield ""


def _part(part: AnswerPart) -> str:
    needed = f"; {part.needed}" if part.answer is Answer.OPEN and part.needed not in part.figure else ""
    return f"{part.answer}: {part.asked}: {part.figure}{needed}"


def _made_with(
    machines: Sequence[Machine], versions: Mapping[str, str], made_again: Sequence[str]
) -> Iterator[str]:
    yield "## Machine and versions\n"
    if not machines:
        yield "Nothing was measured yet."
        return
    columns = list(machines[0][1])
    yield markdown_table(
        [["preset", *columns], *([name, *(facts[key] for key in columns)] for name, facts in machines)]
    )
    yield ""
    yield ", ".join(f"{package} {version}" for package, version in versions.items())
    if made_again:
        yield "\nRepeats that failed before they had seen what they were to see:\n"
        yield from (f"- {line}" for line in made_again)


def _text_of(claim: Claim) -> str:
    return f"{claim.text} ({claim.id})"


def _in_short(finding: Finding) -> str:
    clauses = []
    for answer, word in ((Answer.NO, "no"), (Answer.YES, "yes")):
        parts = [part for part in finding.parts if part.answer is answer]
        if parts:
            strongest = max(parts, key=lambda part: part.effect)
            clauses.append(f"{word}: {strongest.asked} ({strongest.figure})")
    return f"**{finding.word}**; {'; '.join(clauses)}"
