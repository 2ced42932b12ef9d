"""A task folder holds a `result.json` that is a pipe, or deep JSON, which is read to leave old results out.

Outcome: succeeded; prevented since. `check` waited for ever, or ended with a traceback.
"""

import os
from pathlib import Path

import pytest

from tests.abuse.attempts.helpers_host import write_task
from tests.unit.command_line import call


@pytest.mark.timeout(60)
def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "task")
    os.mkfifo(folder / "result.json")
    (folder / "submission.csv").write_text("id,y\n60,0\n")
    assert call("check", folder).exit_code == 0


def test_deep_json_is_no_result(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "task")
    (folder / "result.json").write_text("[" * 200_000)
    ended = call("check", folder)
    assert ended.exception is None or isinstance(ended.exception, SystemExit)
