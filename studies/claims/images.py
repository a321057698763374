"""I1 to I6: images, each a pair that differs in one thing."""

from __future__ import annotations

from collections.abc import Iterator

from studies.claims.answers import MARGIN, NO_WORSE, always, fewer, sooner
from studies.claims.claim import Answer, AnswerPart, Claim, Question
from studies.claims.claim_evidence import ClaimEvidence

IMAGES = "images"


def smaller(probe: str, one: str, other: str, quantity: str, asked: str) -> Question:
    def ask(evidence: ClaimEvidence) -> Iterator[AnswerPart]:
        upper, lower = (evidence.observed(IMAGES, probe, side, quantity) for side in (one, other))
        yield fewer(upper, lower, asked)

    return ask


def faster(probe: str, one: str, other: str, quantity: str, asked: str) -> Question:
    def ask(evidence: ClaimEvidence) -> Iterator[AnswerPart]:
        upper, lower = (evidence.observed(IMAGES, probe, side, quantity) for side in (one, other))
        yield sooner(upper, lower, asked)

    return ask


def not_root(evidence: ClaimEvidence) -> Iterator[AnswerPart]:
    seen = evidence.observed(IMAGES, "user", "non-root", "user_id")
    yield always(seen, lambda user: user != 0, "USER makes it run as another user than root")


def starts_no_later(evidence: ClaimEvidence) -> Iterator[AnswerPart]:
    """What is saved in bytes is compiled again at every start."""
    upper, lower = (
        evidence.observed(IMAGES, "no-bytecode", side, "start_s") for side in ("no-bytecode", "bytecode")
    )
    yield sooner(upper, lower, "it starts no later without bytecode", NO_WORSE)


def _both_sizes(probe: str, one: str, other: str) -> tuple[Question, Question]:
    return (
        smaller(probe, one, other, "unpacked_bytes", "smaller unpacked"),
        smaller(probe, one, other, "compressed_bytes", "smaller compressed"),
    )


def no_cache_is_smaller(evidence: ClaimEvidence) -> Iterator[AnswerPart]:
    """Equal bytes refute nothing where pip had nothing that it could keep."""
    kept = evidence.observed(IMAGES, "no-cache-dir", "cache-kept", "pip_cache_bytes")
    if not any(kept.values):
        image = evidence.observed(IMAGES, "no-cache-dir", "no-cache-dir", "unpacked_bytes").values[0] or 0.0
        yield AnswerPart(
            asked="smaller without pip's cache",
            answer=Answer.OPEN,
            figure="pip kept 0 bytes",
            needed="the package index here lets pip keep nothing; "
            f"{MARGIN * image / 1e6:.1f} MB kept would be a difference",
        )
        return
    for question in _both_sizes("no-cache-dir", "no-cache-dir", "cache-kept"):
        yield from question(evidence)


CLAIMS = (
    Claim(
        id="I1",
        text="multi-stage builds make smaller images",
        said_by="guides",
        sources=(IMAGES,),
        depends_on="the way of counting",
        questions=_both_sizes("multi-stage", "multi-stage", "single-stage"),
    ),
    Claim(
        id="I2",
        text="requirements copied before the source make rebuilds fast",
        said_by="guides and the official documentation",
        sources=(IMAGES,),
        depends_on="the repeat",
        questions=(
            faster(
                "requirements-first", "requirements-first", "source-first", "rebuild_s", "a faster rebuild"
            ),
        ),
    ),
    Claim(
        id="I3",
        text="--no-cache-dir keeps the image small",
        said_by="guides and the official documentation",
        sources=(IMAGES,),
        depends_on="the way of counting",
        questions=(no_cache_is_smaller,),
    ),
    Claim(
        id="I4",
        text="plain uvicorn keeps the image small",
        said_by="guides",
        sources=(IMAGES,),
        depends_on="the way of counting",
        questions=_both_sizes("plain-or-standard", "plain", "standard"),
    ),
    Claim(
        id="I5",
        text="slim base, non-root user, PYTHONUNBUFFERED and PYTHONDONTWRITEBYTECODE do what is said of them",
        said_by="guides",
        sources=(IMAGES,),
        depends_on="which of them is meant",
        questions=(
            smaller("slim-base", "slim", "full", "unpacked_bytes", "the slim base is smaller"),
            not_root,
            faster("unbuffered", "unbuffered", "buffered", "log_delay_s", "unbuffered logs arrive sooner"),
            smaller("no-bytecode", "no-bytecode", "bytecode", "unpacked_bytes", "smaller without bytecode"),
            starts_no_later,
        ),
    ),
    Claim(
        id="I6",
        text=".dockerignore makes the context and the image smaller",
        said_by="guides",
        sources=(IMAGES,),
        depends_on="what is measured",
        questions=(
            smaller("dockerignore", "with", "without", "context_bytes", "a smaller context"),
            smaller("dockerignore", "with", "without", "unpacked_bytes", "a smaller image"),
        ),
    ),
)
