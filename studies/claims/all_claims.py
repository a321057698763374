"""Every claim, in the order of the list."""

from __future__ import annotations

from studies.claims import concurrency, images, lifecycle, servers, workers
from studies.claims.claim import Claim, Finding, adjudicate
from studies.claims.claim_evidence import ClaimEvidence

CLAIMS: tuple[Claim, ...] = (
    *servers.CLAIMS,
    *images.CLAIMS,
    *workers.CLAIMS,
    *concurrency.CLAIMS,
    *lifecycle.CLAIMS,
)


def findings(evidence: ClaimEvidence) -> list[tuple[Claim, Finding]]:
    return [(claim, adjudicate(claim, evidence)) for claim in CLAIMS]
