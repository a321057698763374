"""What a team asks for: an objective at a rate, and the configurations that may meet it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.model import Cell, Matrix, OpenLoad, Scenario, Variant

MAX_ERROR_SHARE = 0.001
MEMORY_LEVELS_MIB = (
    *(48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024),
    *(1280, 1536, 1792, 2048, 2560, 3072, 4096, 6144, 8192, 12288, 16384, 24576, 32768),
)
"""Limits that are tried and advised."""
WITH_HEADROOM, AT_THE_RATE = "with-headroom", "at-the-rate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Per hour."""

    cpu: float
    gib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Rates in requests per second, over all replicas together."""

    rate_per_s: float
    slo_ms: float
    slo_share: float = 0.05
    """The share of requests that may take longer."""
    error_share: float = MAX_ERROR_SHARE
    headroom: float = 0.3
    """A configuration has to meet the objective at this much above the rate, a fraction."""
    cpus: tuple[float, ...]
    """CPU limits of a replica that are considered."""
    memory_mib: int | None = None
    """The most that a replica may have; None: all there is."""
    replicas: tuple[int, ...] = (1,)
    price: Price | None = None

    @property
    def with_headroom_per_s(self) -> float:
        return self.rate_per_s * (1 + self.headroom)

    @property
    def objective(self) -> str:
        """ "p95 < 100 ms and errors <= 0.1 %"."""
        return (
            f"p{100 * (1 - self.slo_share):.4g} < {self.slo_ms:g} ms, errors <= {self.error_share * 100:g} %"
        )


_LATENCY = re.compile(r"p(?P<percentile>\d{2}(?:\.\d+)?)\s*<=?\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>ms|s)")
_ERRORS = re.compile(r"errors?\s*<=?\s*(?P<number>\d+(?:\.\d+)?)\s*%")


def parse_slo(text: str) -> tuple[float, float, float]:
    """Milliseconds, the share that may take longer, and the share that may fail. Raises ValueError."""
    latency: tuple[float, float] | None = None
    errors = MAX_ERROR_SHARE
    for part in (part.strip() for part in text.split(",")):
        if found := _LATENCY.fullmatch(part):
            latency = (
                float(found["number"]) * (1 if found["unit"] == "ms" else 1000),
                (1 - float(found["percentile"]) / 100),
            )
        elif found := _ERRORS.fullmatch(part):
            errors = float(found["number"]) / 100
        else:
            raise ValueError(f'{part!r} is no objective. Fix: write such as "p95<100ms,errors<0.1%"')
    if latency is None or not 0 < latency[1] < 1 or latency[0] <= 0:
        raise ValueError(f'{text!r} names no latency. Fix: write such as "p95<100ms,errors<0.1%"')
    return latency[0], round(latency[1], 9), errors


def parse_numbers(text: str) -> tuple[float, ...]:
    """ "1,2", "0.5,1" or, of whole numbers, "1-4". Raises ValueError."""
    found: list[float] = []
    for part in text.split(","):
        low, dash, high = part.strip().partition("-")
        try:
            if dash:
                found += range(int(low), int(high) + 1)
            else:
                found.append(float(low))
        except ValueError:
            raise ValueError(f'{part!r} is no number. Fix: write such as "1,2" or "1-4"') from None
    if not found or min(found) <= 0:
        raise ValueError(f"{text!r}: take numbers above 0, the smaller one first in a range")
    return tuple(dict.fromkeys(float(number) for number in found))


def parse_memory(text: str) -> int:
    """MiB of "512m", "1g" or "768". Raises ValueError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(m|mi|mib|g|gi|gib)?", text.strip().lower())
    if found is None:
        raise ValueError(f'{text!r} is no amount of memory. Fix: write such as "512m" or "1g"')
    return round(float(found[1]) * (1024 if (found[2] or "m").startswith("g") else 1))


def parse_price(text: str) -> Price:
    """Of "cpu=0.04,gib=0.005". Raises ValueError."""
    found = dict(re.findall(r"(cpu|gib)=(\d+(?:\.\d+)?)", text.replace(" ", "")))
    if set(found) != {"cpu", "gib"} or len(text.split(",")) != 2:
        raise ValueError(f'{text!r} is no price. Fix: write such as "cpu=0.04,gib=0.005", per hour')
    return Price(cpu=float(found["cpu"]), gib=float(found["gib"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """So many replicas of a variant."""

    variant: Variant
    replicas: int

    @property
    def id(self) -> str:
        return self.variant.id if self.replicas == 1 else f"{self.replicas} x {self.variant.id}"


def scenario_name(kind: str, replicas: int) -> str:
    """Of what one of so many replicas gets."""
    return f"{kind}-x{replicas}"


def loads_of(question: Question) -> dict[str, float]:
    """The rate that one replica gets, by the name of the scenario."""
    return {
        scenario_name(kind, replicas): rate_per_s / replicas
        for replicas in question.replicas
        for kind, rate_per_s in (
            (WITH_HEADROOM, question.with_headroom_per_s),
            (AT_THE_RATE, question.rate_per_s),
        )
    }


def cell_of(matrix: Matrix, candidate: Candidate, kind: str = WITH_HEADROOM) -> Cell:
    return Cell(variant=candidate.variant, scenario=scenario_of(matrix, kind, candidate.replicas))


def scenario_of(matrix: Matrix, kind: str, replicas: int) -> Scenario:
    name = scenario_name(kind, replicas)
    return next(scenario for scenario in matrix.scenarios if scenario.name == name)


def rate_of(scenario: Scenario) -> float:
    """Raises TypeError for a load without a rate."""
    if not isinstance(scenario.load, OpenLoad):
        raise TypeError(f"{scenario.name} offers no rate")
    return scenario.load.rate_per_s


def candidates(matrix: Matrix, question: Question) -> tuple[Candidate, ...]:
    """Every variant that has no less memory than it may have, in every number of replicas."""
    return tuple(
        Candidate(variant=variant, replicas=replicas)
        for variant in matrix.variants
        if variant.memory_mib == question.memory_mib
        for replicas in question.replicas
    )


def limited(variant: Variant, memory_mib: int) -> Variant:
    return replace(variant, memory_mib=memory_mib)


def memory_levels(question: Question) -> tuple[int, ...]:
    """The limits below the most that a replica may have."""
    most = question.memory_mib
    return tuple(level for level in MEMORY_LEVELS_MIB if most is None or level < most)


def with_memory_levels(matrix: Matrix, question: Question) -> Matrix:
    """With every variant under every limit too: which of them are measured depends on what it needs."""
    variants: Sequence[Variant] = matrix.variants
    more = [limited(variant, level) for variant in variants for level in memory_levels(question)]
    return replace(matrix, variants=(*variants, *more))


def cpus_of(variant: Variant, matrix: Matrix) -> float:
    """That a replica is given: its limit, or the server's cores."""
    return float(len(matrix.server_cpus)) if variant.cpu_quota is None else variant.cpu_quota
