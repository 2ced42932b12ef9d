"""What tasks, results and solutions look like in an interpreter and a notebook, and a run's progress in one."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import mlestar
from mlestar import markup
from mlestar.events import Event, Spending
from mlestar.report import Result
from mlestar.session import notebook
from tests.unit.hostile import hidden_marks
from tests.unit.read_runs import HOSTILE_FIELDS, HOSTILE_TEXT, make_result, row
from tests.unit.scenario import Scenario, make_task, signs


class Page(HTMLParser):
    """The tags of a piece of HTML, its addresses and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.open.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


SAFE = {"div", "p", "b", "table", "tr", "td", "th", "a"}


def read(shown: Any) -> Page:
    """Return the HTML of an object, which has nothing that is executed or fetched."""
    html: str = shown._repr_html_()
    page = Page(html)
    assert set(page.tags) <= SAFE
    assert page.open == []
    assert hidden_marks(html) == []
    return page


def hostile_result(folder: Path) -> Result:
    best = row("b", 0.9, fresh=0.9, parent="a", compared="a", gain=0.1, gain_se=0.01, **HOSTILE_FIELDS)
    paths: dict[str, Any] = {
        "report": str(folder / "a <b>" / "report.html"),
        "solution": str(folder / "javascript:alert(1)"),
    }
    others = (row("a", 0.8, **HOSTILE_FIELDS), row("c", **HOSTILE_FIELDS))
    texts: dict[str, Any] = {"task": HOSTILE_TEXT, "metric": HOSTILE_TEXT, "message": HOSTILE_TEXT}
    return make_result(best, *others, folder=folder / "run", **texts, **paths)


def test_a_result_and_its_solutions_are_one_or_two_lines(tmp_path: Path) -> None:
    result = hostile_result(tmp_path)
    for shown in (result, *result.solutions):
        assert str(shown) == repr(shown)
        assert len(repr(shown).splitlines()) <= 2
        assert hidden_marks(repr(shown)) == []
    assert len(repr(result.lineage()).splitlines()) == 2


def test_hostile_text_is_no_html(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = hostile_result(tmp_path)
    page = read(result)
    assert "<script>alert(1)</script>" in " ".join(page.texts)
    assert page.addresses == ["a%20%3Cb%3E/report.html", "javascript%3Aalert%281%29"]
    for shown in (*result.solutions, result.lineage()):
        assert "<script>alert(1)</script>" in " ".join(read(shown).texts)


def test_a_result_shows_score_lineage_and_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    best = row("t0.r1.1", 0.9, fresh=0.88, parent="t0.c1", plan="scale x", compared="t0.c1", gain=0.1, gain_se=0.01)
    folder = tmp_path / "runs" / "wine"
    result = make_result(best, row("t0.c1", 0.8), folder=folder, report=str(folder / "report.html"))
    assert repr(result) == (
        "Result of run wine: solved, accuracy (maximize): fresh 0.880 ± 0.020\n"
        "winner t0.r1.1, T0.R1.1; 2 solutions in runs/wine"
    )
    page = read(result)
    assert {"0.880 ± 0.020", "better than t0.c1 by 0.100 ± 0.010", "scale x"} <= set(page.texts)
    assert page.addresses == ["runs/wine/report.html"]
    assert repr(result.solutions[0]) == (
        "Solution t0.r1.1 (candidate): fresh 0.880 ± 0.020, T0.R1.1\nbetter than t0.c1 by 0.100 ± 0.010"
    )
    read(make_result())
    assert "no winner; 0 solutions" in repr(make_result())


def test_a_task_is_two_lines_and_a_table(tmp_path: Path) -> None:
    assert repr(signs()).splitlines()[0] == "Task signs: binary, metric.py:share (maximize), target label"
    task = make_task(tmp_path / "signs<img src=x>", rows=60)
    (task / "task.md").write_text(f"# {HOSTILE_TEXT}\n\n## Evaluation\nClassification accuracy.\n", encoding="utf-8")
    page = read(mlestar.Task.load(task))
    assert {"train.csv", "45 labelled rows, 15 to predict"} <= set(page.texts)
    assert "signs<img src=x>" in "".join(page.texts)


def test_markup_keeps_what_was_made_and_escapes_the_rest() -> None:
    assert markup.table([]) == ""
    assert str(markup.line(markup.link("a&b", "<"))).startswith('<p><a href="a%26b"')
    assert str(markup.safe("a\x1b[31m<b>")) == "a&lt;b&gt;"


def graded(name: str, score: float | None, **fields: object) -> Event:
    values: dict[str, object] = {
        "stage": "candidate",
        "message": f"script {name}",
        "track": 0,
        "solution": name,
        "score": score,
    }
    if score is None:
        values["problem"] = f"error: {values['message']}"
    return Event.model_validate({**values, "verdict": "ok" if score is not None else "error", **fields})


def test_progress_names_what_runs_the_best_score_failures_and_cost() -> None:
    following = notebook.Following()
    spend = Spending(tokens=1200, usd=0.5)
    for event in (
        Event(stage="prepare", message="reading"),
        graded("t0.c1", 0.5, direction="minimize", standard_error=0.01, spend=spend),
        graded("t0.c2", 0.7, direction="minimize"),
        graded("t0.c3", None),
        Event(stage="plan", message="a plan <b>\x1b[31m", track=1),
        Event(stage="planner", message="answered", role="planner"),
    ):
        following(event)
    facts = dict(following.facts())
    assert facts["best"].startswith("0.500 ± 0.010  t0.c1")
    assert facts["scripts"] == "2 graded, 1 failed; 1.2k tokens, $0.5"
    assert facts["last failure"] == "t0.c3 error: script t0.c3"
    assert (facts["track 1"], facts["run"]) == ("plan: a plan <b>", "prepare: reading")
    following.finish("ended")
    assert set(dict(following.facts())) == {"ended", "best", "scripts", "last failure"}


class Screen:
    """Shows outputs as a notebook would."""

    def __init__(self) -> None:
        self.outputs: list[tuple[str, str, bool]] = []

    def find(self) -> notebook.Show:
        return lambda html, text, is_update: self.outputs.append((html, text, is_update))


def test_a_call_shows_one_output_that_is_updated() -> None:
    screen = Screen()
    with notebook.show_in_notebook({"fresh": True}, screen.find) as keywords:
        assert keywords["fresh"] is True
        keywords["on_event"](graded("t0.c1", 0.5))
    assert [is_update for _, _, is_update in screen.outputs] == [False, True]
    html, text, _ = screen.outputs[-1]
    assert text.startswith("ended")
    assert "1 graded" in text
    assert set(Page(html).tags) <= SAFE


def test_a_call_that_fails_says_so_in_its_output() -> None:
    screen = Screen()
    with pytest.raises(mlestar.UserError), notebook.show_in_notebook({}, screen.find):
        raise mlestar.UserError
    assert screen.outputs[-1][1].startswith("ended by UserError")


def test_a_display_that_fails_ends_no_call() -> None:
    def fail(html: str, text: str, is_update: bool) -> None:
        raise OSError

    with notebook.show_in_notebook({}, lambda: fail) as keywords:
        keywords["on_event"](graded("t0.c1", 0.5))


def test_a_caller_with_its_own_progress_gets_no_other() -> None:
    screen = Screen()
    with notebook.show_in_notebook({"on_event": None}, screen.find) as keywords:
        assert keywords == {"on_event": None}
    assert screen.outputs == []


def test_without_a_kernel_nothing_is_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert notebook.find_display() is None
    settings = {"runs_dir": tmp_path / "runs", "profile": "quick", "outer_steps": 0, "baselines": False}
    mlestar.solve(signs(), settings=settings, **Scenario().options())
    assert capfd.readouterr() == ("", "")
