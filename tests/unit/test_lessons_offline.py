"""The offline engineer orders its ideas by lessons."""

import json
from pathlib import Path

import pytest

from mlestar.lessons import choose_lessons
from mlestar.offline.facts import Facts
from mlestar.offline.ideas import ideas_for
from mlestar.offline.kinds import find_kind, id_of
from mlestar.offline.lessons import expected_effects, order_ideas
from mlestar.offline.refinement import blocks_of, next_plan
from mlestar.state import Brief, ConfirmedIdea, PromptLessons, StepFacts, TriedIdea
from tests.unit.lesson_runs import facts, idea, lessons
from tests.unit.offline_context import brief_of, candidate, facts_of, mixed_rows, prompt_of, write_task
from tests.unit.test_injection import HOSTILE_LESSONS

PAIRS, STATISTICS, ROWS = (f"tables/build_features/{name}" for name in ("pairs", "group statistics", "row statistics"))


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Brief:
    folder: Path = write_task(tmp_path_factory.mktemp("task") / "mixed", mixed_rows(), "label", "f1")
    return brief_of(folder)


@pytest.fixture(scope="module")
def block(brief: Brief) -> str:
    return blocks_of(candidate(brief), find_kind(facts_of(brief)))["build_features"]


def tried(*ideas: TriedIdea) -> PromptLessons:
    return PromptLessons(runs=1, ideas=ideas)


def known(name: str, effect: float, weight: float = 2.0, *more: str) -> TriedIdea:
    return TriedIdea(idea=name, ids=(name, *more), effect=effect, weight=weight)


def read(brief: Brief, earlier: PromptLessons, *confirmed: ConfirmedIdea) -> Facts:
    """Return the facts of a planner's prompt in a run with lessons."""
    taught = brief.model_copy(update={"lessons": earlier})
    known_facts = StepFacts(confirmed=confirmed)
    return Facts.read(prompt_of("planner", taught, facts=known_facts, block="x = 1", attempts=[], baseline=0.5))


def test_an_expected_effect_is_a_mean_that_is_drawn_towards_nothing(brief: Brief) -> None:
    effects = expected_effects(read(brief, tried(known(PAIRS, 3.0, 2.0), known(ROWS, -1.0, 0.5))))
    assert effects == {PAIRS: pytest.approx(2.0), ROWS: pytest.approx(-1 / 3)}


def test_ideas_of_one_plan_share_its_effect(brief: Brief) -> None:
    effects = expected_effects(read(brief, tried(known(PAIRS, 2.0, 1.0, ROWS), known(ROWS, -2.0, 1.0))))
    assert effects == {PAIRS: pytest.approx(0.5), ROWS: pytest.approx(-1 / 3)}


def test_what_another_track_confirmed_counts_like_a_run_on_an_equal_task(brief: Brief, block: str) -> None:
    pairs = next(idea for idea in ideas_for(block) if id_of(idea) == PAIRS)
    plan = ConfirmedIdea(track=1, component="build_features", plan=pairs.plan, gain=0.02, gain_error=0.01)
    assert expected_effects(read(brief, PromptLessons(), plan)) == {PAIRS: pytest.approx(1.0)}


def test_without_lessons_nothing_changes(brief: Brief, block: str) -> None:
    assert expected_effects(read(brief, PromptLessons())) == {}
    ideas = ideas_for(block, find_kind(facts_of(brief)))
    assert order_ideas(ideas, {}) == ideas


def test_ideas_that_helped_come_first_and_those_that_hurt_last(block: str) -> None:
    ideas = ideas_for(block)
    names = [id_of(idea) for idea in ideas]
    ordered = [id_of(idea) for idea in order_ideas(ideas, {PAIRS: -1.0, ROWS: 1.5, STATISTICS: 0.1})]
    others = [name for name in names if name not in (PAIRS, ROWS)]
    assert ordered == [ROWS, *others, PAIRS]  # what is unknown, or changed nothing, keeps its order


def test_an_idea_that_failed_on_similar_data_goes_later(brief: Brief, block: str) -> None:
    failures = [lessons(f"r{n}", idea("pairs", None, status="error", ids=[PAIRS]), task=f"{n}") for n in range(2)]
    expected = expected_effects(read(brief, choose_lessons(failures, facts())))
    kind, plans = find_kind(facts_of(brief)), list[str]()
    assert "ratio" in next_plan(block, [], 0, kind=kind)
    for _ in range(3):
        plans.append(next_plan(block, plans, 0, kind=kind, expected=expected))
    assert not any("ratio" in plan for plan in plans)


def test_the_first_plan_is_the_idea_that_helped(brief: Brief, block: str) -> None:
    expected = expected_effects(read(brief, tried(known(ROWS, 2.0))))
    rows = next(idea for idea in ideas_for(block) if id_of(idea) == ROWS)
    assert next_plan(block, [], 0, kind=find_kind(facts_of(brief)), expected=expected) == rows.plan


def test_lessons_with_foreign_texts_change_no_order(brief: Brief) -> None:
    hostile = read(brief, HOSTILE_LESSONS)
    assert json.dumps(sorted(expected_effects(hostile).values())) == "[0.0]"
