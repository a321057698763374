"""No verdict is a constant: every claim turns with what was measured."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scipy.stats import binomtest

from harness.model import Validity
from studies.claims.all_claims import CLAIMS, findings
from studies.claims.claim import Answer, AnswerPart, Claim, Word, adjudicate, combined
from studies.claims.claim_evidence import ClaimEvidence, MeasuredRun
from tests.studies.claims.both_ways import WORLDS
from tests.studies.claims.worlds import a_run, evidence, seen, speeds, variant

LISTED = [
    *(f"S{n}" for n in range(1, 13)),
    *(f"I{n}" for n in range(1, 7)),
    *(f"W{n}" for n in range(1, 8)),
    *(f"C{n}" for n in range(1, 5)),
    *(f"L{n}" for n in range(1, 12)),
]
NOTHING = ClaimEvidence(runs={})


def claim(claim_id: str) -> Claim:
    return next(claim for claim in CLAIMS if claim.id == claim_id)


def test_every_line_of_the_list_is_a_claim() -> None:
    assert [claim.id for claim in CLAIMS] == LISTED


@pytest.mark.parametrize("claim_id", LISTED)
def test_a_claim_holds_in_a_world_where_it_is_true(claim_id: str) -> None:
    finding = adjudicate(claim(claim_id), WORLDS[claim_id](True))
    assert finding.word is Word.HOLDS, finding


@pytest.mark.parametrize("claim_id", LISTED)
def test_a_claim_fails_in_a_world_where_nothing_of_it_is_true(claim_id: str) -> None:
    finding = adjudicate(claim(claim_id), WORLDS[claim_id](False))
    assert finding.word is Word.FAILS, finding


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_without_evidence_a_claim_is_undecided_and_says_what_is_missing(claim: Claim) -> None:
    finding = adjudicate(claim, NOTHING)
    assert finding.word is Word.UNDECIDED
    assert finding.why.startswith("not measured: ")


def test_a_noisy_run_leaves_a_claim_undecided_and_says_the_smallest_detectable_effect() -> None:
    noisy = evidence(speeds("servers", uvicorn_standard__w1=1.0, uvicorn_plain__w1=1.05, noise=0.3))
    finding = adjudicate(claim("S2"), noisy)
    assert finding.word is Word.UNDECIDED
    assert "smallest detectable effect: " in finding.why


def test_figures_carry_their_intervals() -> None:
    finding = adjudicate(claim("S2"), WORLDS["S2"](True))
    assert all("1.4" in part.figure and "(1.4" in part.figure for part in finding.parts)


def test_few_repeats_without_a_loss_do_not_prove_that_nothing_is_lost() -> None:
    few, many = reloaded(*[0] * 5, of=300), reloaded(*[0] * 20, of=300)
    assert (few.answer, many.answer) == (Answer.OPEN, Answer.YES)
    assert "52 %" in few.needed


def reloaded(*losses: int | None, of: int) -> AnswerPart:
    """What L7 makes of new connections lost in so many reloads, out of `of` connections in all."""
    kept = evidence(seen("lifecycle", "reload-hup", "gunicorn-uvicorn.w2", "lost_new", *losses, of=of))
    [part] = [p for p in adjudicate(claim("L7"), kept).parts if p.asked.startswith("new conn")]
    return part


def test_repeats_are_the_unit_of_losses_however_many_requests_there_were() -> None:
    """As measured: 12 of 493 requests (1 to 4 %) were lost in 11 of 20 reloads; scipy's exact interval."""
    part = reloaded(*[1, 1, 0, 0, 1, 0, 0, 1, 1, 1, 0, 1, 1, 2, 0, 1, 0, 0, 0, 1], of=493)
    exact = binomtest(11, 20).proportion_ci(method="exact")
    assert (f"{exact.low:.0%}", f"{exact.high:.0%}") == ("32%", "77%")
    assert (part.answer, part.figure) == (Answer.NO, "lost in 11 of 20 reloads, 32 % to 77 %")


def test_what_was_never_exercised_is_an_answer_of_its_own() -> None:
    part = reloaded(None, None, None, of=0)
    assert (part.answer, part.figure) == (Answer.NOT_EXERCISED, "not exercised in 3 reloads")
    lived = AnswerPart(asked="it lives", answer=Answer.YES, figure="")
    assert combined([part, lived], depends_on="it").word is Word.HOLDS
    assert "not exercised: new connections" in combined([part, lived], depends_on="it").why
    assert combined([part], depends_on="it").word is Word.UNDECIDED


def test_repeats_that_exercised_nothing_are_left_out_of_the_share() -> None:
    assert reloaded(None, 1, 0, None, of=2).figure.startswith("lost in 1 of 2 reloads")


def test_equal_images_refute_nothing_where_pip_could_keep_nothing() -> None:
    empty = seen("images", "no-cache-dir", "cache-kept", "pip_cache_bytes", 0.0, unit="bytes")
    others = [o for o in WORLDS["I3"](False).observations if o.quantity != "pip_cache_bytes"]
    finding = adjudicate(claim("I3"), evidence(*others, empty))
    assert finding.word is Word.UNDECIDED
    assert "lets pip keep nothing; 1.5 MB kept would be a difference" in finding.why


def test_a_server_that_merely_was_not_ready_is_not_said_to_be_unable() -> None:
    cells = {variant("gunicorn-uvicorn.w1"): {}, variant("gunicorn-sync.w1"): {}}
    run = a_run("wsgi-mismatch", cells, invalid=("gunicorn-sync.w1",))
    assert adjudicate(claim("S7"), evidence(run)).word is Word.UNDECIDED


def test_a_scenario_that_cannot_be_ranked_does_not_take_the_others_along() -> None:
    run = speeds("servers", uvicorn_plain__w1=1.0, uvicorn_standard__w1=1.3)
    bound = [
        replace(record, validity=Validity.GENERATOR_BOUND)
        if (record.variant_id, record.scenario) == ("uvicorn-standard.w1", "fan_out")
        else record
        for records in run.samples.cells.values()
        for record in records
    ]
    finding = adjudicate(claim("S2"), evidence(MeasuredRun.of("servers", run.matrix, bound)))
    assert finding.word is Word.UNDECIDED
    assert "yes: faster on items" in finding.why
    assert "not measured: uvicorn-standard.w1.fan_out in servers: GENERATOR-BOUND" in finding.why


def part(answer: Answer) -> AnswerPart:
    return AnswerPart(asked="x", answer=answer, figure="f")


@pytest.mark.parametrize(
    ("answers", "word"),
    [
        ("yes", Word.HOLDS),
        ("no", Word.FAILS),
        ("yes no", Word.DEPENDS),
        ("yes no open", Word.DEPENDS),
        ("yes open", Word.UNDECIDED),
        ("no open", Word.UNDECIDED),
        ("open", Word.UNDECIDED),
        ("", Word.UNDECIDED),
    ],
)
def test_the_verdict_is_the_one_that_no_open_part_could_change(answers: str, word: Word) -> None:
    parts = [part(Answer(answer)) for answer in answers.split()]
    assert combined(parts, depends_on="luck").word is word


def test_every_claim_is_judged_in_the_order_of_the_list() -> None:
    assert [claim.id for claim, _ in findings(NOTHING)] == LISTED
