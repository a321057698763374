"""I7: nothing but the trial itself kept the machine busy."""

from __future__ import annotations

from collections.abc import Iterator

from harness.measurement.metrics import in_window
from harness.measurement.trial_evidence import Evidence, Finding
from harness.model import Validity

MAX_MEAN_STEAL, MAX_SECOND_STEAL = 0.01, 0.05

MAX_SUSPENDED_S = 0.1


def quiet_machine(evidence: Evidence) -> Iterator[Finding]:
    """I5: the hypervisor left us our cores, and nothing throttled the server but a quota under test."""
    metrics = evidence.metrics
    if not evidence.load.sliced:
        yield from _little_steal(evidence)
    if metrics.throttled_share > 0 and evidence.variant.cpu_quota is None:
        yield (
            Validity.INVALID,
            f"I5: the server was throttled ({metrics.throttled_share:.2f} s a second, over all cores) with "
            f"no quota in the matrix: something else limits its CPU",
        )


def machine_awake(evidence: Evidence) -> Iterator[Finding]:
    """I5: the machine was there all the time. The two clocks are read one after the other."""
    if evidence.suspended_s > MAX_SUSPENDED_S:
        yield (
            Validity.INVALID,
            f"I5: the machine was suspended for {evidence.suspended_s:.1f} s: keep it awake, measure again",
        )


def _little_steal(evidence: Evidence) -> Iterator[Finding]:
    """Of a trial in one piece. Of one in slices those with more steal are left out."""
    metrics = evidence.metrics
    course = in_window(evidence.readings, evidence.load, lambda reading: reading.steal_s)
    seconds = course.rates_per_second()
    worst = float(seconds.max(initial=0.0))
    if metrics.steal_share > MAX_MEAN_STEAL or worst > MAX_SECOND_STEAL:
        yield (
            Validity.NOISY,
            f"I5: steal took {metrics.steal_share:.1%} of the cores in the mean"
            f"{f' and {worst:.1%} in the worst second' if seconds.size else ''} ({MAX_MEAN_STEAL:.0%} and "
            f"{MAX_SECOND_STEAL:.0%} allowed): other guests of this host were busy, measure again",
        )
