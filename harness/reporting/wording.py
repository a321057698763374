"""Numbers and foreign text as plain words, the same in every output."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.findings import Summary
from harness.model import Matrix, TrialRecord
from harness.target import Version

ABSENT = "–"

_TERMINAL_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor moves
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f]).*?(?:\x07|\x1b\\|\x9c|$)"  # OSC, DCS and kin: titles, links
    r"|\x1b[ -/]*[0-~]",
    re.DOTALL,
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_BIDI = re.compile(r"[\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """One line without terminal sequences, control codes or direction overrides.

    Reasons quote container logs, so they may hold anything a program can print.
    """
    without = _BIDI.sub("", _TERMINAL_SEQUENCE.sub("", text))
    return _CONTROL.sub(" ", without).strip()


def at_most(matrix: Matrix) -> str:
    """What stands before a number of blocks or minutes: with a precision a run may stop sooner."""
    return "" if matrix.precision is None else "at most "


def number(value: float, like: float | None = None) -> str:
    """Three significant digits or whole numbers, with the decimals that suit `like` (default: itself)."""
    size = abs(value if like is None else like)
    decimals = 0 if size >= 100 or size == 0 else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:,.{decimals}f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number as shown, its interval as shown, and the value to sort by."""

    text: str = ABSENT
    interval: str = ""
    value: float | None = None

    def __str__(self) -> str:
        return f"{self.text} [{self.interval}]" if self.interval else self.text


def estimate(summary: Summary | None, scale: float = 1.0, *, at_least: bool = False) -> Estimate:
    """`at_least` marks what the generator could not reach; an upper bound would then mean nothing."""
    if summary is None:
        return Estimate()
    center = summary.center * scale
    text = number(center)
    if at_least:
        return Estimate(text=f"≥ {text}", value=center)
    return Estimate(text=text, interval=_interval(summary, scale, like=center), value=center)


def ratio(summary: Summary | None) -> Estimate:
    """Three decimals, since margins are a few per cent."""
    if summary is None:
        return Estimate()
    bounds = "" if summary.lo is None or summary.hi is None else f"{summary.lo:.3f}–{summary.hi:.3f}"
    return Estimate(text=f"{summary.center:.3f}", interval=bounds, value=summary.center)


def _interval(summary: Summary, scale: float, *, like: float) -> str:
    if summary.lo is None or summary.hi is None:
        return ""
    return f"{number(summary.lo * scale, like)}–{number(summary.hi * scale, like)}"


def made_from(version: Version) -> str:
    """What a version of the app is, for example "git main (3f2a91c0d4e1)"."""
    if version.ref is not None:
        return f"git {version.ref} ({(version.commit or 'unknown')[:12]})"
    if version.image is not None:
        return f"image {version.image}"
    if version.packages:
        return f"packages {', '.join(version.packages)}"
    return f"requirements {version.requirements} (sha256 {(version.sha256 or 'unknown')[:12]})"


def without_numbers(record: TrialRecord) -> tuple[str, ...]:
    """The reasons of a trial without what differs from one trial to the next: its id, and numbers."""
    reasons = (reason.replace(record.trial_id, "") for reason in record.reasons)
    return tuple(re.sub(r"\d+(\.\d+)?", "0", reason) for reason in reasons)
