"""The report page: what it says of scores, where solutions are drawn, and what it never contains."""

import re
from typing import Literal

import pytest

from mlestar.evaluation.outcome import Bin, Outcome
from mlestar.report import Score, views
from mlestar.report.outcome import OutcomeRow
from mlestar.report.page import render_page
from mlestar.report.result import MemberRow
from mlestar.report.views import lineage, shown_difference, summarize
from mlestar.state import Brief
from tests.unit.report_pages import (
    HOSTILE,
    PICTURE,
    baseline,
    examples,
    full_result,
    history,
    importance,
    make_media,
    result,
    scripts_of,
    solution,
)


@pytest.mark.parametrize(
    ("gain", "error", "said"),
    [
        (0.3, 0.1, "It is better than the simple baseline (linear model) by 0.30 ± 0.10"),
        (-0.3, 0.1, "It is worse than the simple baseline (linear model) by 0.30 ± 0.10"),
        (0.1, 0.1, "It is not better than the simple baseline (linear model) beyond noise"),
        (0.3, None, "It is not better than the simple baseline (linear model) beyond noise"),
    ],
)
def test_a_difference_is_called_one_beyond_its_paired_error_only(
    brief: Brief, gain: float, error: float | None, said: str
) -> None:
    text = " ".join(summarize(result(solution("t0.c1"), baselines=(baseline(gain, error),)), brief))
    assert said in text
    assert "0.520 ± 0.020" in text


def test_a_baseline_that_was_submitted_is_not_compared_with_itself(brief: Brief) -> None:
    shown = result(solution("simple"), baselines=(baseline(-0.3, 0.1),), status="baseline", winner="simple")
    text = " ".join(summarize(shown, brief))
    assert "The best script of the run is worse than it by 0.30 ± 0.10 on the same rows." in text
    assert "It is worse" not in text


def test_a_solution_is_right_of_those_that_it_came_from() -> None:
    rows = (
        solution("t0.c1"),
        solution("t0.c2", None, status="error"),
        solution("t0.r1.1", parent="t0.c1"),
        solution("t0.r1.2", parent="t0.c1"),
        solution("b1", members=(MemberRow(solution="t0.r1.1", weight=0.5), MemberRow(solution="t0.c2", weight=0.5))),
    )
    nodes, edges = lineage(result(*rows))
    places = {node["id"]: (node["step"], node["lane"]) for node in nodes}
    assert [places[name][0] for name in ("t0.c1", "t0.c2", "t0.r1.1", "t0.r1.2", "b1")] == [0, 0, 1, 1, 2]
    assert len(set(places.values())) == len(rows)
    assert len(edges) == 4
    assert [node["state"] for node in nodes] == ["winner", "failed", "ok", "ok", "ok"]


def test_the_difference_of_a_script_is_that_from_its_parent() -> None:
    scripts = {"t0.c1": "a = 1\nb = 2\n", "t0.r1.1": "a = 1\nb = 3\n"}
    text = shown_difference(solution("t0.r1.1", parent="t0.c1"), scripts)
    assert "-b = 2" in text
    assert "+b = 3" in text
    assert shown_difference(solution("t0.c1"), scripts) == ""


def test_a_page_has_no_script_and_no_address_and_shows_foreign_text_as_text(brief: Brief) -> None:
    rows = [solution("t0.c1", title=HOSTILE, plan=HOSTILE, message=HOSTILE), solution("t0.r1.1", parent="t0.c1")]
    shown = result(*rows, history=history(*rows), message=HOSTILE)
    page = render_page(shown, brief, {"t0.c1": HOSTILE, "t0.r1.1": f"{HOSTILE}\n"}, {"model": HOSTILE})
    assert "<script" not in page.lower()
    assert "\x1b" not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r"""(?:src|href)=["'](?!#)""", page)
    for heading in ("Score over the run", "Lineage", "Which part matters", "What plans brought", "Where the time went"):
        assert f"<h2>{heading}</h2>" in page
    assert "var(--accent)" in page
    assert "#040404" not in page


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(kind="values", target=HOSTILE, rows=3, points=((1.0, 2.0), (2.0, 2.0))),
        Outcome(kind="labels", target="y", rows=3, classes=(HOSTILE, "b"), counts=((1, 0), (1, 1))),
        Outcome(kind="probabilities", target="y", rows=9, bins=(Bin(predicted=0.5, true=0.4, error=0.1, rows=9),)),
    ],
)
def test_predictions_are_drawn_beside_the_truth(brief: Brief, outcome: Outcome) -> None:
    row = OutcomeRow(rows_of="fresh", blind=True, outcome=outcome)
    page = render_page(result(solution("t0.c1"), outcome=row), brief)
    assert "<h2>Predictions and truth</h2>" in page
    assert "<script" not in page.lower()


def test_the_importance_of_columns_is_drawn_and_only_beyond_noise_told(brief: Brief) -> None:
    page = render_page(result(solution("t0.c1"), importance=importance()), brief)
    assert "<h2>Importance of columns</h2>" in page
    told = "The score gets worse by more than two standard errors when this column is permuted: size."
    assert f"{told} The other 2 are within noise." in page
    assert "<script" not in page.lower()
    assert "3.2 s" in page
    assert "200 fresh rows" in page
    assert "2 more columns were not measured" in page


def test_a_reason_is_told_where_no_importance_was_measured(brief: Brief) -> None:
    shown = importance(columns=(), reason=f"rows are files {HOSTILE}")
    page = render_page(result(solution("t0.c1"), importance=shown), brief)
    assert "It was not measured: rows are files &lt;script&gt;" in page
    assert "Importance of columns" not in render_page(result(solution("t0.c1")), brief)


@pytest.mark.parametrize(("kind", "tag"), [("image", "<img "), ("audio", "<audio "), ("text", "<blockquote>")])
def test_examples_are_shown_with_prediction_and_truth(
    brief: Brief, kind: Literal["image", "audio", "text"], tag: str
) -> None:
    page = render_page(result(solution("t0.c1"), examples=examples(kind)), brief, media=make_media())
    assert "<h2>Examples</h2>" in page
    assert page.count(tag) == (6 if kind == "text" else 3)
    assert "gone" not in page
    assert "<script" not in page.lower()
    assert not re.search(r"""(?:src|href)=["'](?!#|data:(?:image/png|audio/wav);base64,)""", page)


def test_pictures_beyond_the_size_of_a_page_are_left_out(brief: Brief, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "MOST_MEDIA", 2 * len(make_media()[PICTURE]))
    page = render_page(result(solution("t0.c1"), examples=examples("image")), brief, media=make_media())
    assert page.count("<img ") == 2


def test_a_run_without_pillow_says_what_to_install(brief: Brief) -> None:
    shown = examples("image").model_copy(update={"rows": (), "reason": "pictures need Pillow"})
    assert "None are shown: pictures need Pillow." in render_page(result(solution("t0.c1"), examples=shown), brief)


def test_a_page_of_many_solutions_stays_small(brief: Brief) -> None:
    rows = [solution(f"t{place % 4}.c{place}", 0.5 + place / 1000, plan="a plan " * 50) for place in range(200)]
    scripts = {row.id: "print(1)\n" * 300 for row in rows}
    assert len(render_page(result(*rows, history=history(*rows)), brief, scripts)) < 5_000_000


def test_every_section_is_drawn_with_foreign_text_as_text(brief: Brief) -> None:
    shown = full_result()
    page = render_page(shown, brief, scripts_of(shown), {"model": HOSTILE})
    assert "<script" not in page.lower()
    for heading in ("Start", "Baselines", "Sources", "Predictions and truth", "Settings", "The script of the winner"):
        assert f"<h2>{heading}</h2>" in page


def test_a_run_without_a_solution_has_a_page(brief: Brief) -> None:
    page = render_page(result(status="no_solution", score=Score()), brief)
    assert "No script that predicts" in page
    assert "No script was written." in page
