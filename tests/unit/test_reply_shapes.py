"""Every shape of a reply with one role; `python -m tests.unit.reply_shapes` tries every role."""

from itertools import groupby

import pytest

from tests.unit.reply_shapes import Case, cases, judge


def _one_role_each() -> list[Case]:
    """Return every shape once, with the roles of its kind in turn."""
    by_shape: dict[tuple[str, str], list[Case]] = {}
    for case in cases():
        by_shape.setdefault((case.material.kind, case.shape.name), []).append(case)
    return [group[number % len(group)] for number, group in enumerate(by_shape.values())]


@pytest.mark.parametrize("kind", ["script", "block", "object", "prose"])
async def test_every_shape_of_a_reply_is_understood_or_refused_for_its_true_reason(kind: str) -> None:
    chosen = [case for case in _one_role_each() if case.material.kind == kind]
    findings = [await judge(case, seed=0) for case in chosen]
    faults = [(f.case.material.role, f.case.shape.name, f.fault, f.reason) for f in findings if f.fault]
    assert not faults


def test_the_table_has_the_size_that_it_states() -> None:
    table = list(cases())
    assert len({case.material.role for case in table}) >= 8
    assert min(len(list(group)) for _, group in groupby(table, lambda case: case.material.role)) >= 25
    assert len({case.shape.name for case in table}) >= 40
