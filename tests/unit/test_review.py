"""Human review: every review point stops the run, and the answer changes what follows."""

from pathlib import Path

import pytest

import mlestar
from mlestar.errors import SettingsError
from mlestar.report import Result
from mlestar.retrieval import read_card
from mlestar.runtime.options import OnQuestion
from mlestar.state import Answer, ModelCard, Question
from tests.unit.results import read_submission
from tests.unit.scenario import SMALL, Scenario, resume, signs

CARD = """# RealMLP

A tuned network for tables.

libraries: torch, pytabkit

```python
model = RealMLP()
```
"""


async def run(tmp_path: Path, scenario: Scenario, answer: OnQuestion | None = None, **settings: object) -> Result:
    settings = {**SMALL, "runs_dir": tmp_path / "runs", **settings}
    return await mlestar.asolve(signs(), settings=settings, run_id="run", **scenario.options(on_question=answer))


@pytest.mark.parametrize("point", ["models", "ablation", "block", "plan", "submission"])
async def test_without_an_answer_the_run_pauses_and_approval_finishes_it(tmp_path: Path, point: str) -> None:
    paused = await run(tmp_path, Scenario(), review={point})
    assert (paused.status, point in paused.message) == ("paused", True)
    points: list[str] = []

    def approve(question: Question) -> Answer:
        points.append(question.point)
        return Answer()

    result = await resume(tmp_path, Scenario(), on_question=approve)
    assert (result.status, set(points)) == ("solved", {point})


async def test_an_instruction_replaces_the_summary(tmp_path: Path) -> None:
    scenario = Scenario()
    await run(
        tmp_path,
        scenario,
        lambda question: Answer(action="replace", text="Work on the ratio of x and z."),
        review={"ablation"},
    )
    assert "Work on the ratio of x and z." in scenario.prompts["extractor"][0]


async def test_a_plan_is_rewritten(tmp_path: Path) -> None:
    scenario = Scenario()
    result = await run(
        tmp_path, scenario, lambda question: Answer(action="replace", text="Do as I say, thoroughly."), review={"plan"}
    )
    assert "Do as I say, thoroughly." in scenario.prompts["coder"][0]
    assert {row.plan for row in result.solutions if row.origin == "refinement"} == {"Do as I say, thoroughly."}


async def test_a_block_is_named_by_hand(tmp_path: Path) -> None:
    scenario = Scenario(coder=["```python\ndef model():\n    # quality 0.95\n    return 1\n```"])
    block = "def model():\n    return 'merged'"
    result = await run(tmp_path, scenario, lambda question: Answer(action="replace", text=block), review={"block"})
    assert block in scenario.prompts["coder"][0]
    assert result.status == "solved"


async def test_the_winner_is_rejected(tmp_path: Path) -> None:
    vetoes: list[str] = []

    def veto(question: Question) -> Answer:
        vetoes.append(question.proposal["winner"])
        return Answer(action="reject")

    result = await run(tmp_path, Scenario(), veto, review={"submission"})
    assert vetoes == ["t0.r1.2"]
    assert result.winner == "t0.r1.1"
    assert len(read_submission(result)) == 100


async def test_a_card_by_hand_is_tried_first_whatever_it_needs(tmp_path: Path) -> None:
    path = tmp_path / "card.md"
    path.write_text(CARD, encoding="utf-8")
    scenario = Scenario()
    result = await run(tmp_path, scenario, cards=(path,))
    assert "RealMLP" in scenario.prompts["initializer"][0] or "RealMLP" in scenario.prompts["initializer"][1]
    assert "RealMLP" in {row.title for row in result.solutions}


async def test_cards_are_added_at_the_review_point(tmp_path: Path) -> None:
    card = ModelCard(name="By hand", libraries=("torch",))
    result = await run(tmp_path, Scenario(), lambda question: Answer(action="add", cards=(card,)), review={"models"})
    assert [row.title for row in result.solutions if row.id == "t0.c1"] == ["By hand"]


def test_a_card_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "card.md"
    path.write_text(CARD, encoding="utf-8")
    card = read_card(path)
    assert (card.name, card.description, card.by_person) == ("RealMLP", "A tuned network for tables.", True)
    assert (card.libraries, card.example_code) == (("torch", "pytabkit"), "model = RealMLP()\n")


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe"], ids=["missing", "empty", "binary"])
def test_a_bad_card_file_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "card.md"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"card\.md"):
        read_card(path)


async def test_an_edited_script_is_evaluated_before_it_is_submitted(tmp_path: Path) -> None:
    def edit(question: Question) -> Answer:
        return Answer(action="edit", text=question.proposal["script"] + "\n# by hand\n")

    scenario = Scenario()
    result = await run(tmp_path, scenario, edit, review={"submission"})
    assert result.winner == "t0.r1.2.edited"
    assert "t0.r1.2.edited" in scenario.ran
    assert scenario.scripts["t0.r1.2.edited"].endswith("# by hand\n")


async def test_an_edited_script_that_fails_does_not_replace_the_winner(tmp_path: Path) -> None:
    def break_script(question: Question) -> Answer:
        return Answer(action="edit", text=question.proposal["script"] + "\n# quality KeyError\n")

    result = await run(tmp_path, Scenario(debugger="I will not."), break_script, review={"submission"})
    assert (result.status, result.winner) == ("solved", "t0.r1.2")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(action="replace", text="t9.c9"), "no solution 't9.c9'"),
        (Answer(action="edit", text="print("), "line 1"),
        (Answer(action="add"), "give `text`"),
        (Answer(text="Do it by hand."), "choose edit, replace, add"),
    ],
)
async def test_an_answer_that_cannot_be_used_is_asked_for_again_with_the_reason(
    tmp_path: Path,
    answer: Answer,
    reason: str,
) -> None:
    problems: list[str] = []

    def ask(question: Question) -> Answer:
        problems.append(question.proposal.get("problem", ""))
        return answer if len(problems) == 1 else Answer()

    result = await run(tmp_path, Scenario(), ask, review={"submission"})
    assert problems[0] == ""
    assert reason in problems[1]
    assert result.winner == "t0.r1.2"


async def test_a_remark_is_in_the_result(tmp_path: Path) -> None:
    result = await run(tmp_path, Scenario(), lambda q: Answer(action="add", text="Seen."), review={"submission"})
    assert (result.status, result.message) == ("solved", "Seen.")


async def test_every_point_lists_its_possible_answers(tmp_path: Path) -> None:
    actions_at: dict[str, tuple[str, ...]] = {}

    def approve(question: Question) -> Answer:
        actions_at[question.point] = question.actions
        return Answer()

    points = {"models", "ablation", "block", "plan", "ensemble", "submission"}
    await run(tmp_path, Scenario(), approve, review=points, tracks=2, ensemble_rounds=1)
    assert set(actions_at) == points
    assert all({"approve", "edit", "replace", "add"} <= set(actions) for actions in actions_at.values())
