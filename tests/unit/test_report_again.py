"""The report of a run, written again from its folder."""

from pathlib import Path

import pytest

from mlestar.cli.report import report_run
from mlestar.errors import UserError
from mlestar.report.again import render_report
from mlestar.store import RunFolder
from tests.unit.scenario import Scenario, solve


async def test_the_report_is_the_same_when_it_is_written_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = await solve(tmp_path, Scenario())
    folder = RunFolder(Path(result.folder).parent, result.run_id)
    first = folder.report.read_text(encoding="utf-8")
    assert render_report(folder) == first
    assert "<h2>Lineage</h2>" in first
    assert result.history is not None
    assert {point.solution for point in result.history.points} <= {row.id for row in result.solutions}
    assert len(result.history.executions) == result.spend.executions
    assert sum(row.calls for row in result.history.roles) == result.spend.model_calls
    report_run(folder.path.parent, result.run_id, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == first
    assert "page.html" in capsys.readouterr().out


async def test_a_report_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        report_run(tmp_path, "missing", None)
