"""The real input of a run with new rows in place of the rows to predict."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet

from mlestar.data.composed_id import ComposedId
from mlestar.data.layouts import LAYOUTS, TaskFile
from mlestar.data.layouts.arrays import Arrays
from mlestar.data.layouts.composed import find_composed_id, with_composed_id
from mlestar.data.layouts.file_pairs import FilePairs
from mlestar.data.layouts.file_rows import FileRows
from mlestar.data.layouts.labelled_files import LabelledFiles
from mlestar.data.layouts.plain import PlainFiles
from mlestar.data.new_ids import IdNumbers, continue_ids
from mlestar.data.tables import is_table, read_table
from mlestar.data.tables.table import table_suffix
from mlestar.data.tables.writer import write_cells
from mlestar.data.task import Task
from mlestar.errors import UserError
from mlestar.evaluation.holdout.renaming import remove_empty
from mlestar.evaluation.holdout.stage import sample_like
from mlestar.files import open_regular
from mlestar.predictor.asset_names import find_asset_names, test_assets
from mlestar.predictor.cells import ROLE
from mlestar.predictor.frames import NoteCallback, RowSpec, check_frame, check_ids
from mlestar.predictor.given import GivenRows
from mlestar.predictor.json_fields import with_known_fields
from mlestar.predictor.new_arrays import cells_of, put_arrays, read_arrays
from mlestar.predictor.new_assets import AssetFolder, NewAsset, find_folders, list_rows, match_assets
from mlestar.predictor.parquet_rows import parquet_bytes
from mlestar.predictor.row_files import add_names

_LAYOUTS = tuple(layout.name for layout in LAYOUTS if layout is not PlainFiles)
_LISTED = (FileRows, FilePairs)
"""Layouts that take the fields of a row from its file."""


@dataclass(frozen=True)
class NewRows:
    """New rows that suit the task."""

    cells: pd.DataFrame = field(repr=False)
    """Their fields as text, with the id where they have one."""
    staged: pd.DataFrame = field(repr=False)
    """The same, with paths as they are in the input of scripts."""
    assets: tuple[NewAsset, ...] = field(default=(), repr=False)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    """By their base names; their positions along the first axis are the rows."""


def check_replaceable(task: Task) -> None:
    """Refuse a task whose rows to predict cannot be replaced.

    Raises:
        UserError: nothing says what its rows are.
    """
    if task.layout.name not in _LAYOUTS or type(task.layout) not in LAYOUTS:
        msg = f"new rows cannot take the place of the rows to predict in the layout {task.layout.name!r}, whose rows "
        msg += "only scripts read"
        raise UserError(msg)
    others = [name for name in task.layout.other_files if not is_table(task.input / name)]
    named = task.spec.modality not in ("image", "audio") or not others or has_files(task)
    if not named or (getattr(task.layout, "assets", None) is not None and not has_files(task)):
        msg = f"rows of this task are files or have some, such as {others[0]}, and the table of the rows to predict "
        msg += "does not name them: new rows cannot be predicted"
        raise UserError(msg)


def has_files(task: Task) -> bool:
    """Return whether new rows of a task are or have files, or are those of arrays."""
    return isinstance(task.layout, Arrays) or bool(find_asset_names(task))


def read_new_rows(task: Task, spec: RowSpec, given: GivenRows, on_note: NoteCallback | None = None) -> NewRows:
    """Return what a caller gave, checked.

    Raises:
        UserError: it does not suit the task; the message names the row, column or file.
    """
    if isinstance(task.layout, Arrays):
        arrays = read_arrays(task.layout, given, spec.id.name if spec.id else None, on_note)
        cells = cells_of(arrays)
        if spec.id is not None and spec.id.name in cells.columns:
            check_ids(cells[spec.id.name])
        return NewRows(cells, cells, arrays=arrays)
    ways = find_asset_names(task)
    if not ways:
        if given.files is not None or given.arrays is not None:
            msg = f"{ROLE}: rows of this task are those of a table and have no files: give the file of a table"
            raise UserError(msg)
        cells = check_frame(spec, given.frame, on_note)
        return NewRows(cells, cells)
    if given.files is None:
        columns = ", ".join(repr(f"{way.names.folder}/ by {way.column}") for way in ways)
        msg = f"{ROLE}: rows of this task have files ({columns}): give their folder with `--files` (`files=`)"
        raise UserError(msg)
    folders = find_folders(ways, given.files)
    frame = _listed(task, spec, folders) if given.frame is None else given.frame
    cells = check_frame(spec, frame, on_note)
    staged, assets = match_assets(task, folders, cells, given.files)
    return NewRows(cells, staged, assets)


def _listed(task: Task, spec: RowSpec, folders: Sequence[AssetFolder]) -> pd.DataFrame:
    """Return a row for each given file, where the file is all of a row."""
    others = [name for name in spec.names if name != folders[0].ways.column]
    if others or len(folders) > 1:
        msg = f"{ROLE}: rows of this task are in a table, {task.test.name}, and have files: give the table, and the "
        msg += "folder of the files with `--files` (`files=`)"
        raise UserError(msg)
    return list_rows(folders[0])


def put_new(task: Task, spec: RowSpec, folder: Path, new: NewRows) -> Task:
    """Write new rows into a staged real input in the place of the rows to predict, and return the task of these rows.

    Args:
        task: the task of the run.
        spec: what the rows hold.
        folder: the staged input, which no other run uses.
        new: the rows.

    Raises:
        UserError: a file of a new row has the name of a file of the task.
    """
    layout = task.layout
    if isinstance(layout, Arrays):
        cells = complete(task, spec, new.staged)
        put_arrays(layout, folder, new.arrays, cells)
        test = TaskFile(task.test.name, tuple(cells.columns), cells)
        return _with_test(task, test, _put_sample(task, folder, test))
    if new.assets:
        _put_assets(task, folder, new.assets)
    if not isinstance(layout, _LISTED):
        return put_rows(task, spec, folder, new.staged)
    names = tuple(asset.name for asset in new.assets)
    if isinstance(layout, FilePairs):
        changed = replace(task, layout=layout.with_test(folder, names))
        return _with_test(changed, changed.test, changed.sample)
    cells = new.staged
    test = TaskFile(task.test.name, tuple(cells.columns), cells)
    paths = replace(layout.paths, test_files=names)
    return _with_test(replace(task, layout=replace(layout, paths=paths)), test, _put_sample(task, folder, test))


def _put_assets(task: Task, folder: Path, assets: Sequence[NewAsset]) -> None:
    """Put the files of new rows in the place of those of the rows to predict."""
    if isinstance(task.layout, FileRows):
        shutil.rmtree(folder / task.layout.test.name, ignore_errors=True)
    for name in test_assets(task):
        (folder / name).unlink(missing_ok=True)
        remove_empty((folder / name).parent, folder)
    for asset in assets:
        path = folder / asset.name
        if path.exists():
            msg = f"{ROLE}: {asset.name!r} is a file of the task already, of a row of train: give the row another name"
            raise UserError(msg)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open_regular(asset.path) as source, path.open("wb") as target:
            shutil.copyfileobj(source, target)
        path.chmod(0o444)


def put_rows(task: Task, spec: RowSpec, folder: Path, cells: pd.DataFrame) -> Task:
    """Write rows of a table into a staged real input, with a sample submission, and return the task of these rows.

    Args:
        task: the task of the run.
        spec: what the rows hold.
        folder: the staged input, which no other run uses.
        cells: checked rows; without ids they get some.
    """
    cells = complete(task, spec, cells)
    path = folder / task.test.name
    listed = isinstance(task.layout, LabelledFiles)  # by the sample submission or a folder
    if not (listed or is_table(path)):
        msg = f"the rows to predict are in {task.test.name}, which is no table: new rows cannot take their place"
        raise UserError(msg)
    if not listed:
        like = read_table(path)
        rows = cells.reindex(columns=list(like.columns), fill_value="")
        _replace(path, with_known_fields(rows, like.frame))
    test = TaskFile(task.test.name, tuple(cells.columns), cells, task.test.delimiter)
    if (composed := composed_id(task)) is not None:
        test = with_composed_id(composed, test)
    return _with_test(task, test, _put_sample(task, folder, test))


def _put_sample(task: Task, folder: Path, test: TaskFile) -> TaskFile | None:
    """Write the sample submission of new rows into a staged input, and return it; None where the task has none."""
    sample = task.sample
    if sample is None or sample.frame is None:
        return sample
    sample = replace(sample, frame=_sample_rows(task, sample.frame, test))
    _replace(folder / sample.name, sample.rows)
    return sample


def _with_test(task: Task, test: TaskFile, sample: TaskFile | None) -> Task:
    layout = replace(task.layout, test=test, sample=sample, has_test=True)
    changed = task.spec.model_copy(update={"has_test": True, "test_rows": len(test.rows)})
    return replace(task, spec=changed, layout=layout, _results={})


def composed_id(task: Task) -> ComposedId | None:
    """Return how the id is made of two columns, where the file of the rows to predict does not have it."""
    if task.test.frame is None or not task.spec.has_test or not is_table(task.input / task.test.name):
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


def complete(task: Task, spec: RowSpec, cells: pd.DataFrame) -> pd.DataFrame:
    """Return rows with ids and row numbers, in the column order of the task's rows."""
    lacks_id = spec.id is not None and spec.id.name not in cells.columns
    named = add_names(spec, find_id_numbers(task, spec.id.name) if spec.id and lacks_id else None, cells)
    return named[[name for name in task.test.columns if name in named.columns]]


def find_id_numbers(task: Task, name: str) -> IdNumbers:
    """Return how new ids are made: where the ids of the task end in numbers, the count is continued."""
    files = [file.frame[name] for file in (task.train, task.test) if file.frame is not None and name in file.columns]
    return continue_ids(pd.concat(files))


def _sample_rows(task: Task, real: pd.DataFrame, test: TaskFile) -> pd.DataFrame:
    """Return the sample submission of new rows: their ids, and the most common predictions of the real sample."""
    rows, predicted = test.rows, task.spec.prediction_columns
    copied = [name for name in real.columns if name in rows.columns and name not in predicted]
    known = rows[copied].reset_index(drop=True)
    for name in real.columns:
        # Rows in the order of arrays are only counted.
        if name not in known.columns and name not in predicted and (first := _first_of_count(real[name])) is not None:
            known[name] = [str(first + row) for row in range(len(rows))]
    return sample_like(real, known)


def _first_of_count(cells: pd.Series) -> int | None:
    """Return the first number of cells that count the rows; None where they do not."""
    first = cells.iloc[0].strip() if len(cells) > 1 else ""
    if first not in ("0", "1"):
        return None
    return int(first) if cells.str.strip().tolist() == [str(int(first) + row) for row in range(len(cells))] else None
