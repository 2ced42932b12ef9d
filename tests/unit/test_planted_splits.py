"""Planted structures are found, and null tables have none; `benchmarks/splits.py` counts many more seeds."""

import pytest

from tests.unit.planted_splits import NULLS, PLANTS, plan_of


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", PLANTS)
def test_a_planted_structure_is_inferred(kind: str, seed: int) -> None:
    plant = PLANTS[kind](seed)
    plan = plan_of(plant.frame, plant.in_test)
    assert plant.is_right(plan), plan


@pytest.mark.parametrize("seed", range(len(NULLS) * 2))
def test_a_null_table_is_divided_at_random(seed: int) -> None:
    null = NULLS[seed % len(NULLS)](seed)
    plan = plan_of(null.frame, null.in_test)
    assert null.is_right(plan), plan
