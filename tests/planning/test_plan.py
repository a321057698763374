from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from harness.model import (
    KEEP_ALIVE_S,
    Cell,
    ClosedLoad,
    Matrix,
    Scenario,
    Variant,
)
from harness.planning.plan import SIDE_BY_SIDE_S, cells_of, estimate, plan_blocks

SCENARIO = Scenario(
    name="items", locustfile="items", load=ClosedLoad(clients=4), warmup_s=1.0, measure_s=3.0, slo_ms=50
)


def matrix(variants: int = 2, blocks: int = 3, budget_s: float = 1000.0) -> Matrix:
    made = tuple(Variant(recipe="uvicorn-plain", workers=n + 1) for n in range(variants))
    return Matrix(
        name="m",
        description="",
        variants=made,
        scenarios=(SCENARIO,),
        baseline_id=made[0].id,
        blocks=blocks,
        seed=1,
        margin=0.03,
        budget_s=budget_s,
        ready_timeout_s=30,
        server_cpus=(1,),
        generator_cpus=(0,),
    )


def test_the_baseline_gets_a_twin_and_nothing_else_does() -> None:
    assert [cell.variant.id for cell in cells_of(matrix())] == [
        "uvicorn-plain.w1",
        "uvicorn-plain.w2",
        "uvicorn-plain.w1.twin",
    ]


@given(
    variants=st.integers(min_value=1, max_value=8),
    blocks=st.integers(min_value=1, max_value=12),
    seed=st.integers(min_value=0, max_value=2**31),
)
def test_every_block_holds_every_cell_once_and_the_seed_fixes_the_order(
    variants: int, blocks: int, seed: int
) -> None:
    cells = cells_of(matrix(variants))
    plan = plan_blocks(cells, blocks=blocks, seed=seed)
    assert len(plan.blocks) == blocks
    for block in plan.blocks:
        assert Counter(trial.cell.id for trial in block) == Counter(cell.id for cell in cells)
    assert len({trial.id for trial in plan.trials}) == len(cells) * blocks
    assert plan == plan_blocks(cells, blocks=blocks, seed=seed)


def test_every_position_in_a_block_is_as_likely_for_every_cell() -> None:
    """Drift hits all alike only if no cell tends to come first."""
    cells = [Cell(variant=Variant(recipe="r", workers=n), scenario=SCENARIO) for n in range(1, 5)]
    blocks = 4000
    first = Counter(block[0].cell.id for block in plan_blocks(cells, blocks=blocks, seed=7).blocks)
    # Five standard deviations of a binomial count with p = 1/4.
    assert all(abs(count - blocks / 4) < 5 * (blocks * 3 / 16) ** 0.5 for count in first.values())


def test_more_blocks_only_add_to_the_order() -> None:
    cells = cells_of(matrix(3))
    assert plan_blocks(cells, blocks=4, seed=5).blocks == plan_blocks(cells, blocks=9, seed=5).blocks[:4]


def test_the_estimate_counts_whole_blocks() -> None:
    small = matrix(budget_s=40.0)
    plan = plan_blocks(cells_of(small), blocks=3, seed=1)
    cost = estimate(plan, small)
    assert cost.seconds == 3 * 3 * (1.0 + 3.0 + SIDE_BY_SIDE_S)
    assert cost.blocks_within_budget == 2
    assert estimate(plan, matrix(budget_s=1.0)).blocks_within_budget == 1


VARIANTS = st.builds(
    Variant,
    recipe=st.sampled_from(["uvicorn-plain", "gunicorn-asgi"]),
    workers=st.integers(1, 3),
    access_log=st.booleans(),
    keep_alive_s=st.sampled_from([2, KEEP_ALIVE_S]),
    cpu_quota=st.sampled_from([None, 0.5, 2.0]),
    memory_mib=st.sampled_from([None, 256]),
    network=st.sampled_from(["shared", "bridge"]),
    twin=st.booleans(),
)


@given(VARIANTS, VARIANTS)
def test_only_the_same_variant_has_the_same_id(one: Variant, other: Variant) -> None:
    assert (one.id == other.id) is (one == other)


@given(
    variants=st.integers(1, 6),
    blocks=st.integers(1, 12),
    budget_s=st.floats(0, 2000),
    more_s=st.floats(0, 2000),
)
def test_the_blocks_within_the_budget_cost_no_more_and_grow_with_it(
    variants: int, blocks: int, budget_s: float, more_s: float
) -> None:
    plan = plan_blocks(cells_of(matrix(variants)), blocks=blocks, seed=1)
    poor, rich = (estimate(plan, matrix(variants, budget_s=b)) for b in (budget_s, budget_s + more_s))
    assert 1 <= poor.blocks_within_budget <= rich.blocks_within_budget <= blocks
    # The first block always runs.
    assert poor.blocks_within_budget == 1 or poor.blocks_within_budget * poor.seconds / blocks <= budget_s
