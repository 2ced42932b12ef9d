"""A description of 15 MB, in which a metric and a split are looked for, keeps `check` busy for minutes.

Outcome: succeeded; prevented since. A description may have 1 MiB, ten times the longest of a competition.
"""

from pathlib import Path

import pytest

from tests.abuse.attempts.helpers_host import write_task
from tests.unit.command_line import call


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", ["RMSE ", " ", "score of "])
def test_a_long_description_is_refused(tmp_path: Path, text: str) -> None:
    folder = write_task(tmp_path / "task")
    (folder / "task.md").write_text(text * (15_000_000 // len(text)))
    ended = call("check", folder)
    assert ended.exit_code == 2
    assert "task.md cannot be read: it is larger than 1,048,576 bytes" in ended.stderr
