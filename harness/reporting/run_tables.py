"""The tables of a run as a whole, over all its scenarios: worker rules, and what could not be ranked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.analysis.wording import percent
from harness.model import TrialRecord, Validity
from harness.reporting.data import ReportData, RuleRow
from harness.reporting.tables import CANNOT_SERVE
from harness.reporting.wording import ABSENT, Estimate, number, plain, without_numbers

NOT_BUILT = "NOT BUILT"
NONE_SEEN = "none detectable"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleLine:
    """A worker rule under one scenario, as shown."""

    scenario: str
    rule: str
    workers: str
    variant_id: str
    memory: Estimate
    lost: Estimate
    best: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class InvalidRow:
    """A trial, or a recipe's every trial, that is not ranked, and why."""

    trial_id: str
    word: str
    reasons: str


def rule_lines(data: ReportData) -> tuple[RuleLine, ...]:
    """Where a variant was not ranked, its word stands in place of what following the rule loses."""
    words = {(f.scenario, cell.variant_id): cell.word for f in data.analysis.findings for cell in f.cells}
    return tuple(
        RuleLine(
            scenario=row.scenario,
            rule=row.rule,
            workers=str(row.workers),
            variant_id=row.variant_id,
            memory=_single(row.working_set_mib, number),
            lost=lost(row)
            if row.regret is not None
            else Estimate(text=str(words.get((row.scenario, row.variant_id), ABSENT))),
            best=row.in_best_set,
        )
        for row in data.rules
    )


def lost(row: RuleRow) -> Estimate:
    """What following a rule loses. What is not distinguishable from the best has no figure but its bound."""
    if row.regret is None:
        return Estimate()
    if row.regret_hi is None or row.regret_lo is None:
        return Estimate(text="best" if row.regret == 0 else percent(row.regret), value=row.regret)
    if row.in_best_set:
        most = max(0.0, row.regret_hi)
        return Estimate(text=NONE_SEEN, interval=f"at most {percent(most)}", value=row.regret)
    bounds = f"{percent(row.regret_lo)} to {percent(row.regret_hi)}"
    return Estimate(text=percent(row.regret), interval=bounds, value=row.regret)


def _single(value: float | None, shown: Callable[[float], str]) -> Estimate:
    return Estimate() if value is None else Estimate(text=shown(value), value=value)


def invalid_rows(data: ReportData) -> tuple[InvalidRow, ...]:
    """What was not built first, then INVALID trials: there something broke, elsewhere a limit was reached.

    Trials that say the same, but for numbers, share a row.
    """
    broken_first = sorted(data.analysis.invalid, key=lambda record: record.validity is not Validity.INVALID)
    unbuilt = (
        InvalidRow(trial_id=f"all of {recipe}", word=NOT_BUILT, reasons=plain(reason))
        for recipe, reason in data.failed_builds.items()
    )
    alike: dict[tuple[str, ...], list[TrialRecord]] = {}
    for record in broken_first:
        alike.setdefault((record.validity, *without_numbers(record)), []).append(record)
    return (*unbuilt, *(_invalid_row(records) for records in alike.values()))


def _invalid_row(records: Sequence[TrialRecord]) -> InvalidRow:
    """Of trials that say the same: the first of each variant, and how many more there are."""
    first = records[0]
    ids: dict[str, list[str]] = {}
    for record in records:
        ids.setdefault(record.variant_id, []).append(record.trial_id)
    return InvalidRow(
        trial_id=", ".join(f"{one} and {len(more)} more" if more else one for one, *more in ids.values()),
        word=CANNOT_SERVE if first.cannot_serve else str(first.validity),
        reasons=plain("; ".join(first.reasons)) or "no reason recorded",
    )
