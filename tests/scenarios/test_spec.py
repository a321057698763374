"""A drive message is refused field by field."""

from __future__ import annotations

from typing import Any

import pytest

from scenarios.loadkit.errors import BadRequest
from scenarios.loadkit.spec import ClosedLoad, OpenLoad, drive_spec
from tests.scenarios.agent_process import DRIVE

OPEN = {"kind": "open", "rate_per_s": 100.0, "arrivals": "poisson"}


def test_both_kinds_of_load_are_read() -> None:
    assert drive_spec(DRIVE).load == ClosedLoad(clients=4)
    spec = drive_spec({**DRIVE, "load": OPEN, "start_at_s": 12.5})
    assert spec.load == OpenLoad(rate_per_s=100.0, arrivals="poisson")
    assert spec.start_at_s == 12.5


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"load": None}, "drive.load must be an object"),
        ({"load": {"kind": "burst"}}, "drive.load.kind must be closed or open, got 'burst'"),
        ({"load": {"kind": "closed", "clients": 0}}, "drive.load.clients must be a whole number from 1"),
        ({"load": {"kind": "closed", "clients": True}}, "drive.load.clients"),
        ({"load": {"kind": "closed"}}, "got nothing"),
        ({"load": {**OPEN, "rate_per_s": float("nan")}}, "drive.load.rate_per_s"),
        ({"load": {**OPEN, "rate_per_s": -1}}, "drive.load.rate_per_s"),
        ({"load": {**OPEN, "arrivals": "bursty"}}, "poisson or constant"),
        ({"load": {**OPEN, "rate_per_s": 1e6}, "spans_s": [[0, 60]]}, "lower rate_per_s, or measure"),
        ({"spans_s": []}, "drive.spans_s must be 1 to 100000 pairs of seconds, got 0"),
        ({"spans_s": [[0, 0.2]]}, "drive.spans_s.0.end must be from 0.22"),
        ({"spans_s": [[0, 1], [0.5, 2]]}, "drive.spans_s.1.begin must be from 1"),
        ({"spans_s": [[0, 1], [2]]}, "drive.spans_s.1.begin must be a number"),
        ({"spans_s": [[0, float("inf")]]}, "drive.spans_s.0.end"),
        ({"ramp_s": "1"}, "drive.ramp_s must be a number"),
        ({"seed": 1.5}, "drive.seed must be a whole number"),
        ({"id_base": 2**63}, "drive.id_base"),
        ({"start_at_s": "now"}, "drive.start_at_s"),
    ],
)
def test_a_bad_field_is_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        drive_spec({**DRIVE, **changes})
    assert named in str(refusal.value)
