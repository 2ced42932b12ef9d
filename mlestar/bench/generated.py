"""Generated tasks of a benchmark, written as a suite: `tasks/ID` and `answers/ID`."""

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from mlestar.bench.answers import SPEC, TABLE


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
        table.to_csv(data / name, index=False)
    (data.parent / "task.md").write_text(description, encoding="utf-8")
    answers.to_csv(graded / TABLE, index=False)
    (graded / SPEC).write_text(json.dumps(grade), encoding="utf-8")
