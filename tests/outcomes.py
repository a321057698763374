"""What a run on a real machine may end in."""

from __future__ import annotations


def assert_measured(code: int, said: str) -> None:
    """It ranked, or this machine was too busy for that and nothing else was wrong."""
    if code == 4:
        assert "Nothing could be ranked" in said, said
        assert "INVALID" not in said, said
    else:
        assert code == 0, said
