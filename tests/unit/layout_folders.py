"""Task folders in several layouts, and what every layout must keep to: the form of the real input, and no answers."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from mlestar.data.task import Task
from mlestar.evaluation import Grader, Holdout, infer_split, search_holdout, stage


def write_files(folder: Path, names: Iterable[str]) -> None:
    """Write files that hold the path under which they were written."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")


def write_table(path: Path, frame: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, index=False)


def stage_search(task: Task, folder: Path) -> Holdout:
    """Stage the holdout of the search."""
    holdout = search_holdout(task, infer_split(task), seed=0)
    stage(task, holdout, folder)
    return holdout


def list_files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def withheld_cells(task: Task, holdout: Holdout) -> pd.DataFrame:
    """Return the right submission for the withheld rows."""
    columns = [*([task.spec.id] if task.spec.id else []), *task.spec.target]
    return task.train.rows.iloc[holdout.withheld][columns]


def grade(task: Task, holdout: Holdout, submission: pd.DataFrame, path: Path) -> float | None:
    submission.to_csv(path, index=False)
    return Grader(task, holdout).grade(path).score
