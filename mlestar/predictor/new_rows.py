"""The real input of a run with new rows in place of the rows to predict."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow.parquet

from mlestar.data.composed_id import ComposedId
from mlestar.data.layouts import TaskFile
from mlestar.data.layouts.composed import find_composed_id, with_composed_id
from mlestar.data.new_ids import IdNumbers, continue_ids
from mlestar.data.tables import is_table, read_table
from mlestar.data.tables.table import table_suffix
from mlestar.data.tables.writer import write_cells
from mlestar.data.task import Task
from mlestar.errors import UserError
from mlestar.evaluation.holdout.stage import sample_like
from mlestar.evaluation.importance.planning import describe_file_rows
from mlestar.predictor.frames import RowSpec
from mlestar.predictor.json_fields import with_known_fields
from mlestar.predictor.parquet_rows import parquet_bytes
from mlestar.predictor.row_files import add_names


def check_replaceable(task: Task) -> None:
    """Refuse a task whose new rows would be more than a table.

    Raises:
        UserError: they would.
    """
    if kind := describe_file_rows(task):
        msg = f"new rows can be predicted where a row is a row of one table; rows of this task are files ({kind})"
        raise UserError(msg)


def put_rows(task: Task, spec: RowSpec, folder: Path, cells: pd.DataFrame) -> Task:
    """Write new rows into a staged real input, with a sample submission for them, and return the task of these rows.

    Args:
        task: the task of the run.
        spec: what the rows hold.
        folder: the staged input, which no other run uses.
        cells: checked rows; without ids they get some.
    """
    cells = _complete(task, spec, cells)
    path = folder / task.test.name
    if not is_table(path):
        msg = f"the rows to predict are in {task.test.name}, which is no table: new rows cannot take their place"
        raise UserError(msg)
    like = read_table(path)
    rows = cells.reindex(columns=list(like.columns), fill_value="")
    _replace(path, with_known_fields(rows, like.frame))
    test = TaskFile(task.test.name, tuple(cells.columns), cells, task.test.delimiter)
    if (composed := composed_id(task)) is not None:
        test = with_composed_id(composed, test)
    sample = task.sample
    if sample is not None and sample.frame is not None:
        sample = replace(sample, frame=_sample_rows(task, sample.frame, test))
        _replace(folder / sample.name, sample.rows)
    layout = replace(task.layout, test=test, sample=sample)
    changed = task.spec.model_copy(update={"has_test": True, "test_rows": len(cells)})
    return replace(task, spec=changed, layout=layout, _results={})


def composed_id(task: Task) -> ComposedId | None:
    """Return how the id is made of two columns, where the file of the rows to predict does not have it."""
    if task.test.frame is None or not task.spec.has_test:
        return None
    own = [name for name in task.test.columns if name in task.table(task.test.name).columns]
    bare = replace(task.test, columns=tuple(own), frame=task.test.frame[own])
    return find_composed_id(task.train, bare, task.sample)


def _replace(path: Path, cells: pd.DataFrame) -> None:
    """Write cells in the format of a staged file in its place; the file may be a link to one of the task."""
    part = path.with_name(f".new-{path.name}")
    if table_suffix(path) == ".parquet":
        part.write_bytes(parquet_bytes(cells, pyarrow.parquet.read_schema(path)))
    else:
        write_cells(cells, read_table(path), part)
    path.unlink()
    part.rename(path)


def _complete(task: Task, spec: RowSpec, cells: pd.DataFrame) -> pd.DataFrame:
    """Return rows with ids and row numbers, in the column order of the task's rows."""
    lacks_id = spec.id is not None and spec.id.name not in cells.columns
    complete = add_names(spec, find_id_numbers(task, spec.id.name) if spec.id and lacks_id else None, cells)
    return complete[[name for name in task.test.columns if name in complete.columns]]


def find_id_numbers(task: Task, name: str) -> IdNumbers:
    """Return how new ids are made: where the ids of the task end in numbers, the count is continued."""
    files = [file.frame[name] for file in (task.train, task.test) if file.frame is not None and name in file.columns]
    return continue_ids(pd.concat(files))


def _sample_rows(task: Task, real: pd.DataFrame, test: TaskFile) -> pd.DataFrame:
    """Return the sample submission of new rows: their ids, and the most common predictions of the real sample."""
    rows, predicted = test.rows, task.spec.prediction_columns
    copied = [name for name in real.columns if name in rows.columns and name not in predicted]
    return sample_like(real, rows[copied].reset_index(drop=True))
