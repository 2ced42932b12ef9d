"""The result and the report: what they derive from scores, in both directions of a metric."""

from pathlib import Path

import pytest
from rich.console import Console

from mlestar.cli.console import Progress
from mlestar.events import Event
from mlestar.metrics.spec import Direction
from mlestar.report import Result, Score
from mlestar.report.page import render_page
from mlestar.state import Brief
from tests.unit.golden_prompts import SPLIT


def make_result(direction: Direction, holdout: float | None, fresh: float | None) -> Result:
    score = Score(holdout=holdout, fresh=fresh)
    return Result(run_id="run", task="t", status="solved", folder="/runs/run", direction=direction, score=score)


@pytest.mark.parametrize(
    ("direction", "holdout", "fresh", "optimism"),
    [
        ("maximize", 0.9, 0.8, 0.1),
        ("maximize", 0.8, 0.9, -0.1),
        ("minimize", 0.8, 0.9, 0.1),
        ("minimize", 0.9, 0.8, -0.1),
        ("minimize", 0.9, None, None),
        ("maximize", None, 0.9, None),
    ],
)
def test_optimism_is_positive_where_the_holdout_score_flatters(
    brief: Brief,
    direction: Direction,
    holdout: float | None,
    fresh: float | None,
    optimism: float | None,
) -> None:
    result = make_result(direction, holdout, fresh)
    assert result.optimism == (None if optimism is None else pytest.approx(optimism))
    split = brief.model_copy(update={"fallback": ""})
    page = render_page(result.model_copy(update={"split": SPLIT}), split)
    assert ("better than fresh rows confirm" in page) == (optimism is not None and optimism > 0)
    assert ("Fresh rows confirm it" in page) == (optimism is not None and optimism < 0)
    assert (f"<b>{optimism:.5g}</b>" in page) if optimism is not None else ("Optimism" not in page)


def test_optimism_is_in_the_file_for_programs(tmp_path: Path) -> None:
    result = make_result("minimize", 0.8, 0.9)
    path = tmp_path / "result.json"
    path.write_text(result.model_dump_json(), encoding="utf-8")
    assert '"optimism":0.1' in path.read_text(encoding="utf-8").replace("0.09999999999999998", "0.1")
    assert Result.read(path) == result


@pytest.mark.parametrize("origin", ["candidate", "an origin of somebody else"])
def test_a_graded_script_is_shown_with_its_score_whatever_stage_wrote_it(
    capsys: pytest.CaptureFixture[str],
    origin: str,
) -> None:
    event = Event(stage=origin, message="LightGBM", solution="t0.c1", verdict="ok", score=0.5, standard_error=0.01)
    Progress(Console(width=200))(event)
    Progress(Console(width=200))(Event(stage=origin, message="a line"))
    graded, line = capsys.readouterr().out.splitlines()
    assert "t0.c1    0.500 ± 0.010" in graded
    assert line.endswith("a line")
