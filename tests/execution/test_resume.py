from harness.execution.resume import machine_changes, matrix_changes

BEFORE = {
    "harness": "0.1.0",
    "engine": "docker",
    "images": {"uvicorn-plain": "sha256:1"},
    "host": {"host": "a", "kernel": "6.1"},
    "generator_ceiling_per_s": 5000,
}


def test_the_same_facts_are_no_change_whatever_else_was_measured() -> None:
    assert machine_changes(BEFORE, {**BEFORE, "generator_ceiling_per_s": 4000}) == []


def test_a_recipe_that_builds_at_last_is_no_change() -> None:
    images = {**BEFORE["images"], "uvicorn-standard": "sha256:9"}
    assert machine_changes(BEFORE, {**BEFORE, "images": images}) == []


def test_every_change_of_the_machine_is_named_with_both_values() -> None:
    now = {**BEFORE, "images": {"uvicorn-plain": "sha256:2"}, "host": {"host": "b", "kernel": "6.1"}}
    assert machine_changes(BEFORE, now) == [
        "host.host: was 'a', is 'b'",
        "images.uvicorn-plain: was 'sha256:1', is 'sha256:2'",
    ]


def test_every_change_of_the_matrix_is_named_with_both_values() -> None:
    assert matrix_changes({"seed": 1, "blocks": 4}, {"seed": 2, "blocks": 4, "margin": 0.1}) == [
        "matrix.margin: was None, is 0.1",
        "matrix.seed: was 1, is 2",
    ]


def test_a_change_deep_in_the_matrix_is_named_by_its_place_alone() -> None:
    def variants(commit: str, *more: str) -> dict[str, object]:
        listed = [{"recipe": "a", "version": None}, {"recipe": "a", "version": {"commit": commit}}]
        return {"variants": [*listed, *({"recipe": name} for name in more)]}

    assert matrix_changes(variants("abc"), variants("def")) == [
        "matrix.variants.1.version.commit: was 'abc', is 'def'"
    ]
    assert matrix_changes(variants("abc"), variants("abc", "b")) == ["matrix.variants: were 2, are 3"]
