"""A task folder from what a caller passes: data frames, or files of tables."""

import os
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mlestar.data.tables.quoting import choose_quoting
from mlestar.errors import TaskError, first_line, nearest

PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")
"""Endings after which the one before tells what a file is."""
INDEX_NAME = re.compile(r"Unnamed: \d+")
"""How pandas names a column without a name, as an index that was written to a file has."""


@dataclass(frozen=True)
class TableInput:
    """Tables of a task: each a pandas or polars frame, or the path of a file."""

    train: Any
    test: Any = None
    sample: Any = None
    description: str | None = None

    @property
    def name(self) -> str:
        """Return a name for the task: that of train's file."""
        return Path(self.train).name.split(".")[0] or "table" if isinstance(self.train, str | Path) else "table"


def write_table_task(folder: Path, tables: TableInput, target: Sequence[str]) -> Path:
    """Write the task folder of tables and return it; its files are the same whenever the tables are.

    Args:
        folder: the folder to make.
        tables: of the task.
        target: columns to predict. Where test has them too, as after a split by hand, they are left out of it.

    Raises:
        TaskError: a table is empty, has a column twice or lacks the target.
    """
    data = folder / "input"
    try:
        data.mkdir(parents=True)
        if tables.description:
            (folder / "task.md").write_text(tables.description, encoding="utf-8")
        for role, table in (("train", tables.train), ("test", tables.test), ("sample_submission", tables.sample)):
            if table is not None:
                _write_table(data, role, table, [str(name) for name in target])
    except OSError as error:
        msg = f"cannot write to {folder}: {error.strerror}; choose another folder with --runs-dir"
        raise TaskError(msg) from error
    return folder


def _write_table(data: Path, role: str, table: Any, target: Sequence[str]) -> None:
    if isinstance(table, str | Path):
        _take_file(Path(table).expanduser(), data, role)
        return
    if hasattr(table, "collect") and hasattr(table, "collect_schema"):
        table = table.collect()  # a lazy frame of polars
    if hasattr(table, "write_csv") and hasattr(table, "columns"):
        _write_polars(data / f"{role}.csv", role, table, target)
        return
    frame = as_text_columns(as_frame(role, table), role)
    _check_columns(role, list(frame.columns), len(frame), target)
    if role == "test":
        frame = frame.drop(columns=[name for name in target if name in frame.columns])
    frame.to_csv(data / f"{role}.csv", index=False, lineterminator="\n", quoting=choose_quoting(frame))


def _write_polars(path: Path, role: str, table: Any, target: Sequence[str]) -> None:
    """Write a frame of polars by its own means, which need no memory for a second frame.

    Raises:
        TaskError: a column holds lists or records, which have no form in CSV.
    """
    _check_columns(role, list(table.columns), len(table), target)
    if role == "test":
        table = table.drop([name for name in target if name in table.columns])
    try:
        table.write_csv(path, datetime_format="%Y-%m-%d %H:%M:%S%.f")
    except Exception as error:  # an exception of polars, which is not imported here
        msg = f"{role}: the frame cannot be written as CSV: {first_line(str(error))}"
        raise TaskError(msg) from error


def _take_file(path: Path, data: Path, role: str) -> None:
    """Put a file into a task folder as the table of a role: as a link to the same content where the disk has those."""
    if not path.is_file():
        msg = f"{role}: no such file: {path}"
        raise TaskError(msg)
    ending = path.suffix
    if ending.lower() in PACKED:
        ending = Path(path.stem).suffix + ending
    target = data / f"{role}{ending}"
    try:
        os.link(path.resolve(), target)
    except OSError:
        shutil.copyfile(path, target)


def as_frame(role: str, table: Any) -> pd.DataFrame:
    """Return a table as a pandas frame.

    Raises:
        TaskError: it is no table.
    """
    if isinstance(table, pd.DataFrame):
        return table
    if hasattr(table, "to_pandas"):
        frame = table.to_pandas()
        if isinstance(frame, pd.DataFrame):
            return frame
    msg = f"{role}: give a pandas or polars frame, or the path of a file, not {type(table).__name__}"
    raise TaskError(msg)


def as_text_columns(frame: pd.DataFrame, role: str) -> pd.DataFrame:
    """Return a frame with text as column names and its named index among the columns.

    Raises:
        TaskError: it has a column twice.
    """
    levels = {name: frame.index.get_level_values(at) for at, name in enumerate(frame.index.names) if name is not None}
    named = [*levels, *frame.columns]
    names = [_name(name) for name in named]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        msg = f"{role}: the column {repeated[0]!r} occurs more than once: rename or drop one"
        raise TaskError(msg)
    columns = [*(pd.Series(level) for level in levels.values()), *(frame.iloc[:, at] for at in range(frame.shape[1]))]
    plain = dict(zip(names, (column.reset_index(drop=True) for column in columns), strict=True))
    return pd.DataFrame({name: column for name, column in plain.items() if not _is_old_index(name, column)})


def _name(name: object) -> str:
    return "_".join(map(str, name)) if isinstance(name, tuple) else str(name)


def _is_old_index(name: str, column: "pd.Series[Any]") -> bool:
    """Return whether a column is an index that was written to a file and read back: no name, and each number once."""
    return bool(INDEX_NAME.fullmatch(name)) and pd.api.types.is_integer_dtype(column) and column.is_unique


def _check_columns(role: str, columns: Sequence[str], rows: int, target: Sequence[str]) -> None:
    if not rows or not columns:
        msg = f"{role}: the frame has no rows or no columns"
        raise TaskError(msg)
    missing = [name for name in target if role == "train" and name not in columns]
    if missing:
        match = nearest(missing[0], columns)
        problem = f"train has no column {missing[0]!r}"
        raise TaskError(f"{problem}: did you mean {match!r}?" if match else problem)
