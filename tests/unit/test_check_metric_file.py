"""`mlestar check` reads a metric file and never executes it."""

from pathlib import Path

from mlestar.cli.check import check_task
from mlestar.settings import Settings
from tests.unit.scenario import count_rows, make_task


def test_check_does_not_execute_a_metric_file(tmp_path: Path) -> None:
    folder = count_rows(make_task(tmp_path / "task"))
    executed = tmp_path / "executed"
    code = f"from pathlib import Path\n\nPath({str(executed)!r}).write_text('')\n\n\ndef share(truth, predicted):\n    pass\n"
    (folder / "metric.py").write_text(code, encoding="utf-8")
    check_task(folder, Settings(), as_json=True)
    assert not executed.exists()
