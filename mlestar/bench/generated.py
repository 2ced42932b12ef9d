"""Generated tasks of a benchmark, written as a suite: `tasks/ID` and `answers/ID`."""

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from mlestar.bench.answers import SPEC, TABLE
from mlestar.bench.writing import replace_text


def write_task(
    folder: Path,
    identity: str,
    *,
    files: Mapping[str, pd.DataFrame],
    description: str,
    answers: pd.DataFrame,
    grade: Mapping[str, str],
) -> None:
    """Write a task with its answers; what was written before is replaced.

    Args:
        folder: of the suite.
        identity: of the task.
        files: the tables of the task by name.
        description: in Markdown.
        answers: the labels of the test rows with their ids.
        grade: the contents of `grade.json`.
    """
    data, graded = folder / "tasks" / identity / "input", folder / "answers" / identity
    for path in (data, graded):
        path.mkdir(parents=True, exist_ok=True)
    for name, table in files.items():
        _write_text(data / name, table.to_csv(index=False))
    _write_text(data.parent / "task.md", description)
    _write_text(graded / TABLE, answers.to_csv(index=False))
    _write_text(graded / SPEC, json.dumps(grade))


def _write_text(path: Path, text: str) -> None:
    """Write a file that differs; a run of another benchmark may be reading the same one."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        replace_text(path, text)
