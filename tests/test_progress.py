import io
from dataclasses import replace

import pytest
from rich.console import Console

from harness.model import Cell, OpenLoad, Trial, Validity
from harness.progress import LiveWatcher, duration, printable
from tests.samples import ITEMS, PLAIN, STANDARD, a_record, some_metrics


def told(*, terminal: bool) -> tuple[LiveWatcher, io.StringIO]:
    out = io.StringIO()
    return LiveWatcher(Console(file=out, force_terminal=terminal, width=120)), out


def finish(watcher: LiveWatcher) -> None:
    watcher.trial_finished(a_record(PLAIN, metrics=some_metrics(throughput_per_s=1000.0)))
    watcher.trial_finished(a_record(STANDARD, metrics=some_metrics(throughput_per_s=1500.0)))
    watcher.trials_started(
        (Trial(cell=Cell(variant=PLAIN, scenario=ITEMS), block=2),), number=3, of=4, seconds_left=200
    )


def test_without_a_terminal_there_are_plain_whole_lines() -> None:
    watcher, out = told(terminal=False)
    with watcher:
        finish(watcher)
        watcher.loading({"per_s": 900.0})
    assert out.getvalue().splitlines() == [
        "  uvicorn-plain.w1.items.01: VALID: 1,000 requests/s, p95 6.0 ms",
        "  uvicorn-standard.w1.items.01: VALID: 1,500 requests/s, p95 6.0 ms",
        "[3/4] uvicorn-plain.w1.items.02  about 3 min left  leading so far: uvicorn-standard.w1",
    ]


def test_trials_side_by_side_are_said_together() -> None:
    watcher, out = told(terminal=False)
    group = tuple(Trial(cell=Cell(variant=v, scenario=ITEMS), block=2) for v in (PLAIN, STANDARD))
    watcher.trials_started(group, number=3, of=4, seconds_left=200)
    assert out.getvalue() == "[3-4/4] items, block 2: 2 side by side  about 3 min left\n"


def test_a_black_box_is_said_with_what_was_not_checked() -> None:
    watcher, out = told(terminal=False)
    watcher.trial_finished(a_record(PLAIN, metrics=some_metrics(), not_checked=("I2", "I9")))
    assert out.getvalue().splitlines() == [
        "  uvicorn-plain.w1.items.01: VALID: 1,000 requests/s, p95 6.0 ms (black box: I2, I9 not checked)"
    ]


def test_a_reason_is_said_in_full_once() -> None:
    watcher, out = told(terminal=False)
    for block in (1, 2):
        for variant in (PLAIN, STANDARD):
            reason = f"{variant.id}.items.{block:02d}: not ready within {block} s"
            watcher.trial_finished(
                a_record(variant, block=block, validity=Validity.INVALID, reasons=(reason,))
            )
    assert out.getvalue().splitlines()[1:] == [
        "  uvicorn-standard.w1.items.01: INVALID: as in uvicorn-plain.w1.items.01",
        "  uvicorn-plain.w1.items.02: INVALID: as in uvicorn-plain.w1.items.01",
        "  uvicorn-standard.w1.items.02: INVALID: as in uvicorn-plain.w1.items.01",
    ]


def test_on_a_terminal_the_present_rate_and_leader_are_shown() -> None:
    watcher, out = told(terminal=True)
    with watcher:
        finish(watcher)
        watcher.loading({"per_s": 900.0})
    assert "uvicorn-standard.w1  900 requests/s" in out.getvalue()


def test_an_invalid_trial_is_said_with_its_reason_and_leads_nothing() -> None:
    watcher, out = told(terminal=False)
    watcher.trial_finished(
        a_record(
            STANDARD,
            validity=Validity.INVALID,
            reasons=("I6: \x1b[31mboom\x1b[0m [red]x[/red]",),
            metrics=None,
        )
    )
    finish(watcher)
    first, *_, last = out.getvalue().splitlines()
    assert first == "  uvicorn-standard.w1.items.01: INVALID: I6: boom [red]x[/red]"
    assert "leading so far: uvicorn-standard.w1" in last


def test_who_answered_wrongly_once_never_leads() -> None:
    watcher, out = told(terminal=False)
    watcher.trial_finished(a_record(STANDARD, validity=Validity.INVALID, reasons=("I6",), wrong_bodies=1))
    finish(watcher)
    assert "leading so far: uvicorn-standard.w1" not in out.getvalue()


def test_the_twin_never_leads() -> None:
    watcher, out = told(terminal=False)
    twin = a_record(variant_id="uvicorn-plain.w1.twin", metrics=some_metrics(throughput_per_s=9e9))
    watcher.trial_finished(twin)
    finish(watcher)
    assert out.getvalue().splitlines()[-1].endswith("leading so far: uvicorn-standard.w1")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5, "5 s"), (89, "89 s"), (120, "2 min"), (3600, "1 h 00 min"), (4260, "1 h 11 min")],
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_lines_stay_and_control_codes_go() -> None:
    assert printable("a\x1b[2Jb\nc\x07") == "ab\nc"


def test_at_a_rate_nobody_leads() -> None:
    """All of them answer what is sent."""
    watcher, out = told(terminal=False)
    rated = replace(ITEMS, load=OpenLoad(rate_per_s=100.0))
    trial = Trial(cell=Cell(variant=PLAIN, scenario=rated), block=1)
    watcher.trials_started((trial,), number=1, of=4, seconds_left=200)
    finish(watcher)
    assert "leading so far" not in out.getvalue()
