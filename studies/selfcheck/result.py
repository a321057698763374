"""What an oracle says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.model import Validity


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One figure next to its truth. Texts carry their units."""

    oracle: str
    quantity: str
    theory: str
    measured: str
    gate: str
    met: bool


def unmeasured(oracle: str, reason: object) -> Line:
    """The line of what could not be measured, which is a gate not met."""
    return Line(
        oracle=oracle, quantity="", theory="", measured=f"not measured: {reason}", gate="measured", met=False
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Injected:
    """What the harness said of trials with one known fault: a row of the confusion table."""

    fault: str
    wanted: str
    trials: int
    words: Mapping[Validity, int]
    rules: Mapping[str, int]
    """How many of the trials named each rule (I1 to I10)."""
    p95_ms: str
    """Latency, the median over the trials that gave one: what the fault did to the figures."""
    wanted_limit: str = ""
    """The bottleneck that must be named; empty where none can be."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """How many of the trials named each bottleneck."""
    made_again: int = 0
    """How many attempts the machine spoilt, beside `trials`."""

    @property
    def caught(self) -> int:
        """How many trials did not pass as VALID."""
        return self.trials - self.words.get(Validity.VALID, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class OracleOutcome:
    """Everything one oracle has to say."""

    lines: tuple[Line, ...]
    injected: tuple[Injected, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfCheck:
    """The whole check, as it is printed."""

    lines: tuple[Line, ...]
    injected: tuple[Injected, ...]
    not_yet: tuple[str, ...]
    facts: Mapping[str, str]
    made_again: tuple[str, ...] = ()
    """Every trial that the machine spoilt and that was measured again, with its reasons."""

    @property
    def met(self) -> bool:
        return all(line.met for line in self.lines)


def counted(counts: Counter[str]) -> str:
    """For example "I3 (2), I4"; a dash where nothing was counted."""
    return ", ".join(f"{name} ({n})" if n > 1 else name for name, n in sorted(counts.items())) or "-"
