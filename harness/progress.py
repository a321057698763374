"""What a run says while it goes on: one live line on a terminal, plain lines anywhere else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from statistics import geometric_mean
from types import TracebackType

from rich.console import Console
from rich.status import Status
from rich.text import Text

from harness.model import OpenLoad, Trial, TrialRecord, Validity
from harness.reporting.wording import plain, without_numbers


class LiveWatcher:
    """Implements the Watcher of harness.execution.blocks on a rich console."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = Status(Text("starting"), console=console) if console.is_terminal else None
        self._line = ""
        self._given: dict[tuple[str, ...], str] = {}
        """The first trial that gave these reasons."""
        self._rates: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self._at_a_rate: set[str] = set()
        """Scenarios in which every variant answers as much as is sent."""
        self._wrong: set[str] = set()
        """Variants that were seen to answer wrongly."""

    def __enter__(self) -> LiveWatcher:
        if self._status:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status:
            self._status.stop()

    def said(self, message: str) -> None:
        self._print(message)

    def trials_started(self, group: tuple[Trial, ...], *, number: int, of: int, seconds_left: float) -> None:
        self._at_a_rate |= {t.cell.scenario.name for t in group if isinstance(t.cell.scenario.load, OpenLoad)}
        leader = self._leader()
        numbers, what = str(number), group[0].id
        if len(group) > 1:
            numbers = f"{number}-{number + len(group) - 1}"
            what = f"{group[0].cell.scenario.name}, block {group[0].block}: {len(group)} side by side"
        self._line = f"[{numbers}/{of}] {what}  about {duration(seconds_left)} left"
        if leader:
            self._line += f"  leading so far: {leader}"
        self._show(self._line)

    def loading(self, progress: Mapping[str, float]) -> None:
        if self._status:
            left_s, per_s = progress.get("left_s"), progress.get("per_s", 0.0)
            rest = f"{per_s:,.0f} requests/s" if left_s is None else f"{left_s:.0f} s of this"
            self._show(f"{self._line}  {rest}")

    def trial_finished(self, record: TrialRecord) -> None:
        if record.wrong_bodies:
            self._wrong.add(record.variant_id)
        if record.validity is Validity.VALID and record.metrics:
            metrics = record.metrics
            if "twin" not in record.variant_id.split(".") and record.scenario not in self._at_a_rate:
                self._rates[record.scenario][record.variant_id].append(metrics.throughput_per_s)
            p95_ms = (metrics.latency_p95_s or 0.0) * 1000
            word = "carries " if metrics.capacity_per_s else ""
            outcome = (
                f"{record.validity}: {word}{metrics.throughput_per_s:,.0f} requests/s, p95 {p95_ms:.1f} ms"
            )
            if record.not_checked:
                outcome += f" (black box: {', '.join(record.not_checked)} not checked)"
        else:
            outcome = f"{record.validity}: {self._reasons(record)}"
        self._print(f"{record.trial_id}: {outcome}", indent="  ")

    def _reasons(self, record: TrialRecord) -> str:
        """In full the first time that a trial gives them."""
        key = (record.validity, *without_numbers(record))
        if key in self._given:
            return f"as in {self._given[key]}"
        self._given[key] = record.trial_id
        return "; ".join(record.reasons)

    def _leader(self) -> str:
        """The variant with the highest mean throughput over the scenarios it has figures for."""
        scores: dict[str, list[float]] = defaultdict(list)
        for by_variant in self._rates.values():
            best = max(max(values) for values in by_variant.values()) or 1.0
            for variant_id, values in by_variant.items():
                if min(values) > 0:
                    scores[variant_id].append(geometric_mean(values) / best)
        complete = {v: s for v, s in scores.items() if len(s) == len(self._rates) and v not in self._wrong}
        return max(complete, key=lambda v: geometric_mean(complete[v]), default="")

    def _show(self, line: str) -> None:
        if self._status:
            self._status.update(Text(printable(line)))
        elif line == self._line:
            self._print(line)

    def _print(self, message: str, *, indent: str = "") -> None:
        self._console.print(Text(indent + printable(message)), soft_wrap=True)


def duration(seconds: float) -> str:
    """For people: 45 s, 3 min, 1 h 10 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def printable(text: str) -> str:
    """Messages quote container logs and file contents: their lines stay, their control codes do not."""
    return "\n".join(plain(line) for line in text.splitlines())
