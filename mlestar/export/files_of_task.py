"""How the files of new rows of a task are written, read from its staged real input."""

import tempfile
from pathlib import Path

import pyarrow.parquet

from mlestar.data.tables import Table, is_table, read_table
from mlestar.data.tables.table import table_suffix
from mlestar.data.task import Task
from mlestar.errors import UserError
from mlestar.evaluation import stage
from mlestar.evaluation.holdout.stage import sample_like
from mlestar.predictor.frames import RowSpec
from mlestar.predictor.new_rows import composed_id, find_id_numbers
from mlestar.predictor.parquet_rows import schema_text
from mlestar.predictor.row_files import RowFiles

PARQUET = ".parquet"
_FORMATS = (".csv", ".tsv", PARQUET)


def row_files(task: Task, spec: RowSpec, beside: Path) -> RowFiles:
    """Return how the files of new rows are written.

    Args:
        task: of the run.
        spec: what new rows hold.
        beside: a folder for the staged input, which is removed.

    Raises:
        UserError: the rows to predict are in a file of another format than CSV, TSV or Parquet.
    """
    with tempfile.TemporaryDirectory(prefix=".export-", dir=beside) as folder:
        staged = Path(folder) / "input"
        stage(task, None, staged)
        test = _read(staged / task.test.name)
        files = RowFiles(
            test=task.test.name,
            columns=test.columns,
            delimiter=test.delimiter or ",",
            types=_types(test),
            ids=find_id_numbers(task, spec.id.name) if spec.id else None,
            composed=composed_id(task),
        )
        return files if task.sample is None else _with_sample(task, files, _read(staged / task.sample.name))


def _with_sample(task: Task, files: RowFiles, sample: Table) -> RowFiles:
    """Return the files with a sample submission: ids of the rows, and the most common predictions of the real one."""
    predicted = task.spec.prediction_columns
    copied = [name for name in sample.columns if name in task.test.columns and name not in predicted]
    first = sample_like(sample.frame, sample.frame[copied][:1])
    constants = {name: str(first[name].iloc[0]) for name in sample.columns if name not in copied}
    changes = {
        "sample": sample.path.name,
        "sample_columns": sample.columns,
        "sample_values": constants,
        "sample_delimiter": sample.delimiter or ",",
        "sample_types": _types(sample),
    }
    return files.model_copy(update=changes)


def _read(path: Path) -> Table:
    if not is_table(path) or table_suffix(path) not in _FORMATS or path.suffix == ".gz":
        msg = f"{path.name} is no CSV, TSV or Parquet, so that its predictor cannot be exported; use `mlestar predict`"
        raise UserError(msg)
    return read_table(path)


def _types(table: Table) -> str:
    return schema_text(pyarrow.parquet.read_schema(table.path)) if table_suffix(table.path) == PARQUET else ""
