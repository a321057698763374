from harness.execution.resume import changes_since

BEFORE = {
    "harness": "0.1.0",
    "engine": "docker",
    "images": {"uvicorn-plain": "sha256:1"},
    "host": {"host": "a", "kernel": "6.1"},
    "matrix": {"seed": 1, "blocks": 4},
    "generator_ceiling_per_s": 5000,
}


def test_the_same_facts_are_no_change_whatever_else_was_measured() -> None:
    assert changes_since(BEFORE, {**BEFORE, "generator_ceiling_per_s": 4000}) == []


def test_every_change_is_named_with_both_values() -> None:
    now = {
        **BEFORE,
        "images": {"uvicorn-plain": "sha256:2"},
        "host": {"host": "b", "kernel": "6.1"},
        "matrix": {"seed": 2, "blocks": 4, "margin": 0.1},
    }
    said = changes_since(BEFORE, now)
    assert len(said) == 4
    assert "matrix.seed: was 1, is 2" in said
    assert "matrix.margin: was None, is 0.1" in said
    assert "host.host: was 'a', is 'b'" in said
