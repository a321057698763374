"""W1 to W7: what each rule for the number of workers costs, over CPU budgets and workloads."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from harness.analysis.comparisons import rankable
from harness.analysis.metrics import DIRECTIONS, WORKING_SET
from harness.analysis.verdicts import regret
from harness.analysis.wording import percent
from harness.findings import Direction, ScenarioFinding, Summary, Verdict
from harness.model import Variant
from studies.claims.claim import Answer, AnswerPart, Claim, Question
from studies.claims.claim_evidence import ClaimEvidence, MeasuredRun, NotMeasured

PRESETS = ("worker-heuristics", "workers-quota-05", "workers-quota-1", "workers-quota-2", "workers-all-cpus")
TOLERABLE = 0.10
"""What is not distinguishable from the best passes for good only if it is at most this far behind it."""
ALL = ("async_io", "sync_io", "cpu_bound", "mixed")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCell:
    """What a rule came to on one workload within one CPU budget."""

    rule: str
    budget: str
    scenario: str
    workers: int
    answer: Answer
    """Whether its count is among the best."""
    regret: Summary | None
    """What it loses against the best count, a fraction; None where it could not be ranked."""
    memory_bytes: float | None
    why: str = ""

    @property
    def claim_id(self) -> str:
        """Rules are named after their claim: "W1 2n+1 (host)"."""
        return self.rule.partition(" ")[0]

    @property
    def place(self) -> str:
        return f"{self.scenario}, {self.budget}"


def rule_cells(evidence: ClaimEvidence) -> Iterator[RuleCell]:
    """Every rule in every budget that was measured, under every scenario."""
    for preset in PRESETS:
        if preset in evidence.runs:
            yield from _cells_of(evidence.runs[preset])


def budget_of(run: MeasuredRun, variant: Variant) -> str:
    """The CPUs that a server had, in words."""
    cores = len(run.matrix.server_cpus)
    shared = " shared with the generator" if run.matrix.shared_cpus else ""
    pinned = f"{cores} core{'' if cores == 1 else 's'}{shared}"
    return pinned if variant.cpu_quota is None else f"quota {variant.cpu_quota:g} on {pinned}"


def _cells_of(run: MeasuredRun) -> Iterator[RuleCell]:
    for finding in run.analysis.findings:
        for variant in run.matrix.variants:
            answer, lost, why = _standing(run, finding, variant.id)
            memory = run.cells[variant.id, finding.scenario].metrics.get(WORKING_SET)
            for rule in variant.rules:
                yield RuleCell(
                    rule=rule,
                    budget=budget_of(run, variant),
                    scenario=finding.scenario,
                    workers=variant.workers,
                    answer=answer,
                    regret=lost,
                    memory_bytes=memory.center if memory else None,
                    why=why,
                )


def _standing(
    run: MeasuredRun, finding: ScenarioFinding, variant_id: str
) -> tuple[Answer, Summary | None, str]:
    """Best, or surely not far behind it: yes. WORSE than it: no. Else open: noise makes nothing good."""
    cell = run.cells[variant_id, finding.scenario]
    if finding.floor is None or not finding.best_set:
        return Answer.OPEN, None, "no A/A floor to judge by, or the fastest could not be ranked"
    if variant_id == finding.best:
        return Answer.YES, Summary(center=0.0, lo=0.0, hi=0.0, n=cell.valid), ""
    pair = next((pair for pair in finding.against_best if pair.variant_id == variant_id), None)
    if pair is None or not rankable(cell, finding.metric):
        # A count whose trials broke, OOM-killed for one, is no count to choose.
        broken = cell.trials and not cell.valid
        return (Answer.NO if broken else Answer.OPEN), None, f"{cell.valid} of {cell.trials} trials VALID"
    lost = _regret(pair.ratio, DIRECTIONS[finding.metric])
    if pair.verdict is Verdict.WORSE:
        return Answer.NO, lost, ""
    if lost.hi is not None and lost.hi <= TOLERABLE:
        return Answer.YES, lost, ""
    return (
        Answer.OPEN,
        lost,
        f"may lose up to {percent(lost.hi)}" if lost.hi else "no interval",
    )


def _regret(ratio: Summary, direction: Direction) -> Summary:
    """The ratio to the best as what is lost; its ends change places where more is better."""
    ends = [regret(end, direction) for end in (ratio.lo, ratio.hi) if end is not None]
    return Summary(
        center=regret(ratio.center, direction),
        lo=min(ends) if len(ends) == 2 else None,
        hi=max(ends) if len(ends) == 2 else None,
        n=ratio.n,
    )


def lost(cell: RuleCell) -> str:
    """ "16 % (14 % to 18 %)"."""
    if cell.regret is None:
        return cell.why
    spread = ""
    if cell.regret.lo is not None and cell.regret.hi is not None and cell.regret.center:
        spread = f" ({percent(cell.regret.lo)} to {percent(cell.regret.hi)})"
    return f"{percent(cell.regret.center)}{spread}"


def rule_is_good(claim_id: str, workloads: Collection[str] = ALL) -> Question:
    """In every budget and on every workload that the rule speaks of, its count is among the best."""

    def ask(evidence: ClaimEvidence) -> Iterator[AnswerPart]:
        cells = [c for c in rule_cells(evidence) if c.claim_id == claim_id and c.scenario in workloads]
        if not cells:
            raise NotMeasured(f"a rule of {claim_id} in {', '.join(PRESETS)}")
        for cell in cells:
            name = cell.rule.removeprefix(f"{claim_id} ")
            yield AnswerPart(
                asked=f"{name} = {cell.workers} on {cell.place}",
                answer=cell.answer,
                figure=f"loses {lost(cell)}",
                effect=abs(cell.regret.center) if cell.regret else 0.0,
                needed=cell.why,
            )

    return ask


CLAIMS = (
    Claim(
        id="W1",
        text="2 x CPU + 1 workers are best (CPU: of the host, allowed, or of the quota)",
        said_by='guides: "the standard"; 16 cores -> 33 "might actually degrade"',
        sources=PRESETS,
        depends_on="the meaning of CPU, the workload and the budget",
        questions=(rule_is_good("W1"),),
    ),
    Claim(
        id="W2",
        text="2 workers a core are best for mixed and sync work",
        said_by="guides",
        sources=PRESETS,
        depends_on="the workload and the budget",
        questions=(rule_is_good("W2", ("mixed", "sync_io")),),
    ),
    Claim(
        id="W3",
        text="1 worker a core is best for CPU-bound work",
        said_by="guides",
        sources=PRESETS,
        depends_on="the budget",
        questions=(rule_is_good("W3", ("cpu_bound",)),),
    ),
    Claim(
        id="W4",
        text="2 to 4 workers a machine are enough for async I/O",
        said_by='guides: "often sufficient"',
        sources=PRESETS,
        depends_on="the budget",
        questions=(rule_is_good("W4", ("async_io",)),),
    ),
    Claim(
        id="W5",
        text="1 worker per container is best; more containers for more",
        said_by="the official documentation",
        sources=PRESETS,
        depends_on="the workload and the budget",
        questions=(rule_is_good("W5"),),
    ),
    Claim(
        id="W6",
        text="max(int(WORKERS_PER_CORE x cores), 2) workers are best",
        said_by="the deprecated base image",
        sources=PRESETS,
        depends_on="the workload and the budget",
        questions=(rule_is_good("W6"),),
    ),
    Claim(
        id="W7",
        text="as many workers as fit into the memory, floor(limit / PSS of a worker), are best",
        said_by='the official documentation: "don\'t consume more memory than what is available"',
        sources=PRESETS,
        depends_on="the workload and the budget",
        questions=(rule_is_good("W7"),),
    ),
)
