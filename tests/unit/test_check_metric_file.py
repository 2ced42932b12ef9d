"""`mlestar check` reads a metric file and never executes it."""

from pathlib import Path

from mlestar.cli.check import check_task
from mlestar.settings import Settings
from tests.unit.scenario import count_rows, make_task


def test_check_does_not_execute_a_metric_file(tmp_path: Path) -> None:
    folder = count_rows(make_task(tmp_path / "task"))
    executed = tmp_path / "executed"
    lines = ["from pathlib import Path", f"Path({str(executed)!r}).write_text('')", "def share(truth, predicted): pass"]
    code = "\n".join(lines)
    (folder / "metric.py").write_text(code, encoding="utf-8")
    check_task(folder, Settings(), as_json=True)
    assert not executed.exists()
