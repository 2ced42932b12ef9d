"""A task folder from what a caller passes: data frames, or files of tables."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlestar.data.frame_columns import as_frame, as_text_columns
from mlestar.data.tables.quoting import choose_quoting
from mlestar.errors import TaskError, first_line, nearest

PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")
"""Endings after which the one before tells what a file is."""


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


def _check_columns(role: str, columns: Sequence[str], rows: int, target: Sequence[str]) -> None:
    if not rows or not columns:
        msg = f"{role}: the frame has no rows or no columns"
        raise TaskError(msg)
    missing = [name for name in target if role == "train" and name not in columns]
    if missing:
        match = nearest(missing[0], columns)
        problem = f"train has no column {missing[0]!r}"
        raise TaskError(f"{problem}: did you mean {match!r}?" if match else problem)
