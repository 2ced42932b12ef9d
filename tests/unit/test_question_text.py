"""Questions in the terminal: each review point shows texts and tables, never JSON."""

import io
from pathlib import Path

import pytest
from rich.console import Console

import mlestar
from mlestar.cli.question_text import MAX_LINES, show_question
from mlestar.state import Answer, Question
from tests.unit.scenario import SMALL, Scenario, signs


def shown(question: Question, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, record=True)
    show_question(console, question)
    return console.export_text()


async def test_every_review_point_of_a_run_is_shown_as_text(tmp_path: Path) -> None:
    texts: dict[str, str] = {}

    def approve(question: Question) -> Answer:
        texts.setdefault(question.point, shown(question))
        return Answer()

    points = {"models", "ablation", "block", "plan", "submission"}
    settings = {**SMALL, "runs_dir": tmp_path / "runs", "review": points}
    await mlestar.asolve(signs(), settings=settings, run_id="run", **Scenario().options(on_question=approve))
    assert texts.keys() == points
    assert not [text for text in texts.values() if "{" in text or "null" in text or "\\n" in text]
    assert "1. A" in texts["models"]
    assert "plain     0.7" in texts["ablation"]
    assert "def load():" in texts["plan"]
    assert all(len(text.splitlines()) < 60 for text in texts.values())


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    proposal = {"track": 1, "plan": "word " * 60, "block": "x = 1\n" * 3, "problem": "no such block " * 9}
    question = Question(id="plan:t1.r1.1", point="plan", actions=("approve",), proposal=proposal)
    assert max(map(len, shown(question, width).splitlines())) <= width


def test_a_long_script_is_cut_and_says_so() -> None:
    question = Question(
        id="submission:a", point="submission", actions=("approve",), proposal={"script": "x = 1\n" * (MAX_LINES + 7)}
    )
    assert "... 7 more lines" in shown(question)


def test_what_a_model_wrote_is_no_markup() -> None:
    proposal = {"packages": ["[bold]a[/bold]"], "cards": [{"name": "[red]B", "description": "[/]"}], "new": {"a": 1}}
    text = shown(Question(id="packages:a", point="packages", actions=("approve", "reject"), proposal=proposal))
    assert all(part in text for part in ("[bold]a[/bold]", "1. [red]B", "[/]", "a: 1"))
