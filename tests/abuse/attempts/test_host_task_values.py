"""`task.toml` sets every key to values of wrong types: numbers of 400 digits, NaN, dates, nested tables, NUL, 100 KB.

Outcome: succeeded; prevented since. File names with NUL or of 100 KB ended with a traceback; all others were refused.
"""

from pathlib import Path

import pytest

from mlestar.data.overrides import Overrides
from mlestar.data.task import Task
from mlestar.errors import UserError
from tests.abuse.attempts.helpers_host import write_task

VALUES = {
    "huge": "1" + "0" * 400,
    "infinite": "1e400",
    "nan": "nan",
    "negative": "-1",
    "date": "2020-01-01",
    "time": "07:32:00",
    "nested": "[[1], [{a = 1}]]",
    "table": "{a = {b = 1}}",
    "nul": '"a\\u0000b"',
    "long": '"' + "a" * 100_000 + '"',
    "escape": '"\\u001b[2J\\u202e"',
    "empty": '""',
    "flag": "true",
    "root": '"/"',
    "list": '["\\u0000", "' + "a" * 5000 + '"]',
}


def problem(folder: Path) -> str:
    """Return why a task cannot be read, empty when it can."""
    try:
        Task.load(folder)
    except UserError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("key", Overrides.model_fields)
def test_no_value_ends_with_a_traceback(tmp_path: Path, key: str) -> None:
    folder = write_task(tmp_path / "task")
    for value in VALUES.values():
        (folder / "task.toml").write_text(f"{key} = {value}\n")
        message = problem(folder)
        assert "\n" not in message
